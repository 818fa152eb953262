"""Hidden candidates stay hidden until the search is over, and labels are never shown."""

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.prompt import Prompt
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.roles import Roles
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import SearchState
from tests.fakes import fake_roles
from tests.worlds import context_of, planted_prompt, run, search_settings


def searched(context: SearchContext) -> SearchState:
    async def go() -> SearchState:
        state = await start_search(context)
        for _ in range(context.structure.generations):
            state = await advance_search(context, state)
        return state

    return asyncio.run(go())


def all_requests(roles: Roles) -> str:
    """Return all requests to all roles as text."""
    requests = [*roles.initializer.requests, *roles.proposer.requests, *roles.verifier.requests]
    return "\n".join(map(repr, requests))


def renamed(prompt: Prompt) -> Prompt:
    """Return the prompt with recognisable ids, sources and metadata."""
    secret_names = (
        {"candidate_id": f"SECRET-{i}", "source": f"SECRET-{'ab'[i % 2]}"} for i in range(len(prompt.candidates))
    )
    secret = {"note": "SECRET", "rank": 424242}
    candidates = (
        candidate.model_copy(update={**names, "metadata": {**candidate.metadata, **secret}})
        for candidate, names in zip(prompt.candidates, secret_names, strict=True)
    )
    return prompt.model_copy(update={"candidates": tuple(candidates)})


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("racing", [True, False])
def test_no_role_sees_a_hidden_candidate_before_the_conclusion(mode: Mode, *, racing: bool) -> None:
    for seed in range(4):
        roles = fake_roles(noise=0.3)
        chosen_settings = search_settings(evolution={"racing": racing}, grading={"num_votes": 2})
        context = context_of(planted_prompt(12, seed=seed), roles, chosen_settings, mode=mode)

        state = searched(context)

        hidden = [context.prepared.texts[1][position] for position in context.prepared.hidden]
        assert len(hidden) == 3
        assert not any(text in all_requests(roles) for text in hidden)
        asyncio.run(conclude_search(context, state))
        assert all(text in all_requests(roles) for text in hidden)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 30), st.sampled_from(Mode))
def test_hidden_candidates_do_not_affect_the_search(seed: int, mode: Mode) -> None:
    plain = planted_prompt(10, seed=seed)
    context = context_of(plain, fake_roles(noise=0.3), mode=mode)
    changed = tuple(
        candidate.model_copy(update={"text": "a0=0.0 a9=1.0", "source": "another"})
        if i in context.prepared.hidden
        else candidate
        for i, candidate in enumerate(plain.candidates)
    )
    other_context = context_of(plain.model_copy(update={"candidates": changed}), fake_roles(noise=0.3), mode=mode)

    states = [searched(each) for each in (context, other_context)]

    assert states[0].population == states[1].population
    assert states[0].bank.entries() == states[1].bank.entries()
    assert states[0].ancestors == states[1].ancestors


def test_hidden_labels_affect_neither_the_search_nor_the_choice_of_the_best() -> None:
    plain = planted_prompt(12, seed=5)
    context = context_of(plain, fake_roles(noise=0.3))
    reversed_labels = tuple(
        candidate.model_copy(update={"metadata": {"quality": -(candidate.quality or 0)}})
        if i in context.prepared.hidden
        else candidate
        for i, candidate in enumerate(plain.candidates)
    )
    other_context = context_of(plain.model_copy(update={"candidates": reversed_labels}), fake_roles(noise=0.3))

    (state, conclusion), (other_state, other_conclusion) = run(context), run(other_context)

    assert other_state.population == state.population
    assert other_conclusion.measured_rubric == conclusion.measured_rubric
    assert other_conclusion.holdout != conclusion.holdout


def test_no_request_contains_an_id_a_source_or_metadata() -> None:
    roles = fake_roles(noise=0.3)
    plain = planted_prompt(12, seed=1)
    prompt = renamed(plain)

    run(context_of(prompt, roles))

    assert "SECRET" not in all_requests(roles)
    assert "424242" not in all_requests(roles)
    qualities = {str(candidate.quality) for candidate in plain.candidates}
    assert not qualities & set(re.findall(r"-?\d+\.\d+", all_requests(roles)))
