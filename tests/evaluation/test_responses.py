"""Prompts with too few candidates get sampled ones with distinct texts; other prompts are not changed."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.errors import ReplyError, RoleError
from autosr_lib.evaluation.responses import (
    SamplingResult,
    sample_candidates,
    sampling_calls,
    with_candidates,
    with_expected_candidates,
)
from autosr_lib.evaluation.roles import RespondRequest
from autosr_lib.evaluation.settings import ResponseSettings

POOL = ResponseSettings(response_models=("a", "b", "c"), responses_per_model=2)


@dataclass
class FakeResponder:
    """Replies with model and sample; `repeating` models always send the same text, `failing` ones nothing readable."""

    repeating: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    requests: list[RespondRequest] = field(default_factory=list)

    async def respond(self, request: RespondRequest) -> str:
        self.requests.append(request)
        if request.model in self.failing:
            raise ReplyError("no response")
        return "the usual" if request.model in self.repeating else f"{request.model} {request.sample}"


def prompt_of(*texts: str) -> Prompt:
    candidates = tuple(Candidate(candidate_id=f"c{i}", text=text) for i, text in enumerate(texts))
    return Prompt(prompt_id="p", prompt="Say something.", candidates=candidates)


def sampled(prompt: Prompt, responder: FakeResponder) -> SamplingResult:
    return asyncio.run(sample_candidates(prompt, POOL, responder))


def test_a_prompt_without_candidates_gets_every_sample_of_every_model_with_its_source() -> None:
    result = sampled(prompt_of(), FakeResponder())

    assert [(candidate.source, candidate.text) for candidate in result.candidates] == [
        ("a", "a 0"), ("b", "b 0"), ("c", "c 0"), ("a", "a 1"), ("b", "b 1"), ("c", "c 1")
    ]  # fmt: skip
    assert len({candidate.candidate_id for candidate in result.candidates}) == 6
    assert (result.calls, result.failed, result.repeated) == (6, 0, 0)


def test_nothing_is_sampled_for_a_prompt_with_two_candidates() -> None:
    responder = FakeResponder()

    assert sampled(prompt_of("x", "y"), responder) == SamplingResult((), 0, 0, 0)
    assert not responder.requests


def test_a_text_that_another_candidate_has_is_dropped_and_counted() -> None:
    result = sampled(prompt_of("a 0\n"), FakeResponder(repeating=frozenset("bc")))

    assert [candidate.text for candidate in result.candidates] == ["the usual", "a 1"]
    assert (result.calls, result.repeated) == (6, 4)


def test_a_sample_without_a_readable_reply_is_counted_as_failed() -> None:
    result = sampled(prompt_of(), FakeResponder(failing=frozenset("a")))

    assert (len(result.candidates), result.failed) == (4, 2)


def test_a_prompt_with_fewer_than_two_candidates_after_sampling_fails_with_the_counts() -> None:
    with pytest.raises(RoleError, match=r"leave prompt 'p' with 1 candidate \(2 without a reply, 3 repeated\)"):
        sampled(prompt_of(), FakeResponder(repeating=frozenset("bc"), failing=frozenset("a")))


def test_expected_candidates_have_the_number_and_the_calls_of_sampled_ones() -> None:
    empty = prompt_of()
    completed = with_candidates(empty, sampled(empty, FakeResponder()).candidates)

    assert len(with_expected_candidates(empty, POOL).candidates) == len(completed.candidates)
    assert sampling_calls(empty, POOL) == sampling_calls(completed, POOL) == 6
    assert sampling_calls(prompt_of("x", "y"), POOL) == 0
    assert completed.fingerprint != empty.fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"response_models": ["a", "a"]}, "twice"),
        ({"response_models": ["a"]}, "gives 1 response"),
        ({"response_models": ["a", " "]}, "not a model name"),
    ],
)
def test_an_unusable_pool_is_rejected(settings: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ResponseSettings.model_validate(settings)
