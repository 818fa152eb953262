"""The client against `llmock`, an independent server that also rates how a client retries."""

from collections.abc import Callable
from typing import Any

import pytest

from autosr_lib.errors import EndpointError
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.settings import LlmSettings
from tests.llm.role_requests import KEYS, grade_request, initialize_request, judge_request, propose_request, roles_of

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


async def test_every_role_gets_a_reply(llmock: Any, client: Callable[..., ModelClient]) -> None:
    model = client()
    roles = roles_of(model)

    async with model:
        await model.preflight()
        assert (await roles.initializer.write(initialize_request("a"))).criteria
        assert set(await roles.verifier.grade(grade_request())) <= set(KEYS)
        assert await roles.judge.prefer(judge_request())
        assert (await roles.proposer.propose(propose_request())).criteria

    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize(
    "inject_failure",
    [
        lambda server: server.rate_limit(times=2, retry_after=0.3),
        lambda server: server.rate_limit(times=2),
        lambda server: server.fail(500, times=2),
        lambda server: server.fail(503, times=3),
        lambda server: server.delay(0.2, times=1),
    ],
    ids=["429 with Retry-After", "429", "500", "503", "slow"],
)
async def test_llmock_rates_our_retries_as_resilient(
    llmock: Any, client: Callable[..., ModelClient], inject_failure: Callable[[Any], Any]
) -> None:
    inject_failure(llmock)
    model = client()

    async with model:
        await roles_of(model).judge.prefer(judge_request())

    llmock.assert_resilient(strict=True)


async def test_a_wrong_key_is_not_tried_twice(llmock: Any, client: Callable[..., ModelClient]) -> None:
    llmock.fail(401, times=None)
    model = client()

    async with model:
        with pytest.raises(EndpointError):
            await roles_of(model).judge.prefer(judge_request())

    llmock.assert_resilient()
