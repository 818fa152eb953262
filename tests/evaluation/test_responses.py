"""Prompts without candidates get some from a pool, each text once; others are left as they are."""

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
    """Answers with its model and sample; `same` models repeat themselves, `mute` ones say nothing."""

    same: frozenset[str] = frozenset()
    mute: frozenset[str] = frozenset()
    requests: list[RespondRequest] = field(default_factory=list)

    async def respond(self, request: RespondRequest) -> str:
        self.requests.append(request)
        if request.model in self.mute:
            raise ReplyError("nothing")
        return "the usual" if request.model in self.same else f"{request.model} {request.sample}"


def prompt_of(*texts: str) -> Prompt:
    candidates = tuple(Candidate(candidate_id=f"c{i}", text=text) for i, text in enumerate(texts))
    return Prompt(prompt_id="p", prompt="Say something.", candidates=candidates)


def sampled(prompt: Prompt, responder: FakeResponder) -> SamplingResult:
    return asyncio.run(sample_candidates(prompt, POOL, responder))


def test_a_prompt_without_candidates_gets_every_sample_of_every_model_with_its_source() -> None:
    found = sampled(prompt_of(), FakeResponder())

    assert [(one.source, one.text) for one in found.candidates] == [
        ("a", "a 0"), ("b", "b 0"), ("c", "c 0"), ("a", "a 1"), ("b", "b 1"), ("c", "c 1")
    ]  # fmt: skip
    assert len({one.candidate_id for one in found.candidates}) == 6
    assert (found.calls, found.failed, found.repeated) == (6, 0, 0)


def test_a_prompt_with_two_candidates_asks_nobody() -> None:
    responder = FakeResponder()

    assert sampled(prompt_of("x", "y"), responder) == SamplingResult((), 0, 0, 0)
    assert not responder.requests


def test_a_text_that_is_there_already_is_dropped_and_counted() -> None:
    found = sampled(prompt_of("a 0\n"), FakeResponder(same=frozenset("bc")))

    assert [one.text for one in found.candidates] == ["the usual", "a 1"]
    assert (found.calls, found.repeated) == (6, 4)


def test_a_model_that_says_nothing_is_counted_as_failed() -> None:
    found = sampled(prompt_of(), FakeResponder(mute=frozenset("a")))

    assert (len(found.candidates), found.failed) == (4, 2)


def test_a_prompt_that_is_left_with_one_response_fails_with_what_became_of_the_others() -> None:
    with pytest.raises(RoleError, match=r"leave prompt 'p' with 1 candidate \(2 without a reply, 3 repeated\)"):
        sampled(prompt_of(), FakeResponder(same=frozenset("bc"), mute=frozenset("a")))


def test_what_is_foreseen_has_the_size_and_the_cost_of_what_comes() -> None:
    bare = prompt_of()
    whole = with_candidates(bare, sampled(bare, FakeResponder()).candidates)

    assert len(with_expected_candidates(bare, POOL).candidates) == len(whole.candidates)
    assert sampling_calls(bare, POOL) == sampling_calls(whole, POOL) == 6
    assert sampling_calls(prompt_of("x", "y"), POOL) == 0
    assert whole.fingerprint != bare.fingerprint


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"response_models": ["a", "a"]}, "twice"),
        ({"response_models": ["a"]}, "gives 1 response"),
        ({"response_models": ["a", " "]}, "not a model name"),
    ],
)
def test_a_pool_that_cannot_be_used_is_refused(settings: dict[str, list[str]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ResponseSettings.model_validate(settings)
