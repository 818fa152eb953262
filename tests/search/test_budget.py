"""A prompt makes no more requests than its budget allows, including those of its conclusion."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autosr_lib.errors import SettingsError
from autosr_lib.search.roles import Roles
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import StopReason
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier, FlakyVerifier, fake_roles
from tests.worlds import context_of, planted_prompt, run, search_settings


def requests_of(roles: Roles) -> int:
    return len(roles.initializer.requests) + len(roles.proposer.requests) + len(roles.verifier.requests)


@settings(deadline=None, max_examples=60)
@given(
    budget=st.integers(10, 150),
    seed=st.integers(0, 5),
    grading=st.fixed_dictionaries(
        {
            "grading": st.sampled_from(["pooled", "per_rubric", "per_criterion"]),
            "criteria_per_call": st.sampled_from([1, 3, 10]),
            "num_votes": st.integers(1, 2),
            "finalist_votes": st.integers(0, 2),
            "holdout_votes": st.integers(1, 3),
        }
    ),
    racing=st.booleans(),
    mode=st.sampled_from(Mode),
    verifier=st.builds(FlakyVerifier, st.just(0.3), st.sampled_from([0.0, 0.3]), unread=st.sampled_from([0, 5])),
)
def test_no_budget_is_exceeded_by_the_search_and_its_conclusion(
    budget: int, seed: int, grading: dict[str, object], *, racing: bool, mode: Mode, verifier: FlakyVerifier
) -> None:
    roles = Roles(FakeInitializer(size=4), FakeProposer(), verifier, FakeJudge())
    limited = search_settings(
        grading=grading,
        evolution={"racing": racing, "mutations_per_round": 4},
        stop={"max_calls_per_prompt": budget},
    )
    context = context_of(planted_prompt(8, kinds=10, seed=seed), roles, limited, generations=3, mode=mode)

    try:
        state, conclusion = run(context)
    except SettingsError as error:
        assume("too few to grade the initial rubric" not in str(error))
        raise

    assert requests_of(roles) == (state.calls + conclusion.calls).total <= budget


def spent(budget: int | None) -> tuple[int, StopReason]:
    roles = fake_roles(noise=0.3)
    limited = search_settings(stop={"max_calls_per_prompt": budget}, grading={"finalist_votes": 1})
    state, conclusion = run(context_of(planted_prompt(8, kinds=10), roles, limited, generations=4))
    return (state.calls + conclusion.calls).total, conclusion.stopped


def test_a_prompt_that_runs_out_of_budget_stops_for_that_reason() -> None:
    unlimited, _ = spent(None)

    total, reason = spent(unlimited // 2 + 10)

    assert reason is StopReason.BUDGET
    assert total < unlimited


def test_a_budget_that_is_large_enough_changes_nothing() -> None:
    assert spent(10_000) == spent(None)


def test_a_search_with_a_budget_is_deterministic() -> None:
    assert spent(60) == spent(60)


@pytest.mark.parametrize("grading", ["pooled", "per_criterion"])
def test_no_held_out_pairs_are_counted_if_the_budget_cannot_pay_for_the_hidden_candidates(grading: str) -> None:
    verifier = FakeVerifier(0.3)
    roles = replace(fake_roles(), initializer=FakeInitializer(size=10), verifier=verifier)
    limited = search_settings(
        grading={"grading": grading, "criteria_per_call": 1, "finalist_votes": 0, "holdout_votes": 1},
        stop={"max_calls_per_prompt": 65},
    )
    context = context_of(planted_prompt(8, kinds=10), roles, limited, generations=1)

    _, conclusion = run(context)

    hidden = {context.prepared.texts[1][position] for position in context.prepared.hidden}
    assert not hidden & {request.candidate_text for request in verifier.requests}
    assert conclusion.holdout.touching.pairs == conclusion.holdout.unseen.pairs == 0
    assert conclusion.rubric == conclusion.measured_rubric


def test_finalists_get_no_fresh_votes_if_the_hidden_candidates_need_the_remaining_budget() -> None:
    verifier = FakeVerifier(0.3)
    roles = replace(fake_roles(), initializer=FakeInitializer(size=10), verifier=verifier)
    limited = search_settings(
        grading={"grading": "per_criterion", "finalist_votes": 1, "holdout_votes": 1},
        evolution={"free_modes": ()},
        stop={"max_calls_per_prompt": 100},
    )
    context = context_of(planted_prompt(8, kinds=10), roles, limited, generations=0)

    _, conclusion = run(context)

    assert {request.vote for request in verifier.requests} == {0}
    assert conclusion.holdout.touching.pairs > 0
