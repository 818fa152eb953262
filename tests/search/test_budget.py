"""A prompt spends no more than it was given, its conclusion included."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autosr_lib.errors import SettingsError
from autosr_lib.search.roles import Roles
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import StopReason
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier, FlakyVerifier, fake_roles
from tests.worlds import planted_prompt, run, search_settings, task_of


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
    lost=st.sampled_from([0, 5]),
    failing=st.sampled_from([0.0, 0.3]),
)
def test_any_budget_is_kept_conclusion_included(
    budget: int, seed: int, grading: dict[str, object], *, racing: bool, mode: Mode, lost: int, failing: float
) -> None:
    roles = Roles(FakeInitializer(size=4), FakeProposer(), FlakyVerifier(0.3, failing, unread=lost), FakeJudge())
    told = search_settings(
        grading=grading,
        evolution={"racing": racing, "mutations_per_round": 4},
        stop={"max_calls_per_prompt": budget},
    )
    context = task_of(planted_prompt(8, kinds=10, seed=seed), roles, told, generations=3, mode=mode)

    try:
        state, conclusion = run(context)
    except SettingsError as error:
        assume("too few to grade the initial rubric" not in str(error))
        raise

    assert requests_of(roles) == (state.calls + conclusion.calls).total <= budget


def spent(budget: int | None) -> tuple[int, StopReason]:
    roles = fake_roles(noise=0.3)
    told = search_settings(stop={"max_calls_per_prompt": budget}, grading={"finalist_votes": 1})
    state, conclusion = run(task_of(planted_prompt(8, kinds=10), roles, told, generations=4))
    return (state.calls + conclusion.calls).total, conclusion.stopped


def test_a_prompt_that_runs_out_of_budget_stops_and_says_so() -> None:
    whole, _ = spent(None)

    total, reason = spent(whole // 2 + 10)

    assert reason is StopReason.BUDGET
    assert total < whole


def test_a_budget_that_is_large_enough_changes_nothing() -> None:
    assert spent(10_000) == spent(None)


def test_a_budget_counts_requests_and_so_makes_the_same_search_every_time() -> None:
    assert spent(60) == spent(60)


@pytest.mark.parametrize("grading", ["pooled", "per_criterion"])
def test_where_the_hidden_candidates_cannot_be_paid_for_nothing_is_said_of_them(grading: str) -> None:
    verifier = FakeVerifier(0.3)
    roles = replace(fake_roles(), initializer=FakeInitializer(size=10), verifier=verifier)
    told = search_settings(
        grading={"grading": grading, "criteria_per_call": 1, "finalist_votes": 0, "holdout_votes": 1},
        stop={"max_calls_per_prompt": 65},
    )
    context = task_of(planted_prompt(8, kinds=10), roles, told, generations=1)

    _, conclusion = run(context)

    hidden = {context.prepared.texts[1][place] for place in context.prepared.hidden}
    assert not hidden & {request.candidate_text for request in verifier.requests}
    assert conclusion.holdout.touching.pairs == conclusion.holdout.unseen.pairs == 0
    assert conclusion.rubric == conclusion.measured_rubric


def test_finalists_go_without_fresh_votes_where_the_hidden_candidates_need_the_rest() -> None:
    verifier = FakeVerifier(0.3)
    roles = replace(fake_roles(), initializer=FakeInitializer(size=10), verifier=verifier)
    told = search_settings(
        grading={"grading": "per_criterion", "finalist_votes": 1, "holdout_votes": 1},
        evolution={"free_modes": ()},
        stop={"max_calls_per_prompt": 100},
    )
    context = task_of(planted_prompt(8, kinds=10), roles, told, generations=0)

    _, conclusion = run(context)

    assert {request.vote for request in verifier.requests} == {0}
    assert conclusion.holdout.touching.pairs > 0
