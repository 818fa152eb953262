"""The client against a server written by others, which also grades how a client retries (PyPI `llmock`)."""

from collections.abc import Callable
from typing import Any

import pytest

from autosr_lib.errors import EndpointError
from autosr_lib.llm import LlmSettings, ModelClient
from tests.llm.asking import KEYS, grading_of, judging_of, proposing_of, roles_of, writing_of

pytest.importorskip("llmock")


@pytest.fixture
def client(llmock: Any, tmp_path: Any) -> Callable[..., ModelClient]:
    def make(**changes: Any) -> ModelClient:
        return ModelClient(
            LlmSettings(
                base_url=llmock.base_url("openai"),
                model_default="gpt-4o",
                cache_dir=str(tmp_path),
                **({"llm_retry_backoff_base": 0.1, "llm_max_retries": 4} | changes),
            )
        )

    return make


async def test_every_role_is_answered(llmock: Any, client: Callable[..., ModelClient]) -> None:
    model = client()
    roles = roles_of(model)

    async with model:
        await model.preflight()
        assert (await roles.initializer.write(writing_of("a"))).criteria
        assert set(await roles.verifier.grade(grading_of())) <= set(KEYS)
        assert await roles.judge.prefer(judging_of())
        assert (await roles.proposer.propose(proposing_of())).criteria

    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda server: server.rate_limit(times=2, retry_after=0.3),
        lambda server: server.rate_limit(times=2),
        lambda server: server.fail(500, times=2),
        lambda server: server.fail(503, times=3),
        lambda server: server.delay(0.2, times=1),
    ],
    ids=["429 with Retry-After", "429", "500", "503", "slow"],
)
async def test_its_verdict_on_our_retries_is_resilient(
    llmock: Any, client: Callable[..., ModelClient], break_it: Callable[[Any], Any]
) -> None:
    break_it(llmock)
    model = client()

    async with model:
        await roles_of(model).judge.prefer(judging_of())

    llmock.assert_resilient(strict=True)


async def test_a_bad_key_is_not_tried_twice(llmock: Any, client: Callable[..., ModelClient]) -> None:
    llmock.fail(401, times=None)
    model = client()

    async with model:
        with pytest.raises(EndpointError):
            await roles_of(model).judge.prefer(judging_of())

    llmock.assert_resilient()
