"""A search stops when there is nothing left to gain or to spend, and reports the reason."""

import asyncio
from dataclasses import replace
from math import isnan

import pytest

from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.search.context import SearchContext
from autosr_lib.search.population import Individual
from autosr_lib.search.roles import Proposal, ProposeRequest
from autosr_lib.search.search import advance_search
from autosr_lib.search.state import SearchState, StopReason
from autosr_lib.search.stopping import finish_generation, is_distinguished
from tests.fakes import ScriptedProposer, criterion, fake_roles, prompt_with, rubric
from tests.worlds import context_of, planted_prompt, run, search_settings

NAN = float("nan")


def context_with(votes: int = 1, **stop: object) -> SearchContext:
    """Return a context over four candidates, best first; the tail is the first two."""
    settings = search_settings(
        stop=stop, grading={"num_votes": votes}, objective={"tail_fraction": 0.5, "tie_tolerance": 1e-8}
    )
    return context_of(prompt_with([4, 3, 2, 1]), fake_roles(), settings, holdout=0)


def state_of(context: SearchContext, *votes: list[float], **fields: object) -> SearchState:
    """Return a state whose only rubric has these scores, vote by vote."""
    best = rubric("clear")
    bank = GradeBank(4, len(context.all_votes)).with_criteria(best.criteria, context.prepared.texts)
    bank = bank.with_entries(
        BankEntry(best.keys[0], i, vote, grade)
        for vote, column in enumerate(votes)
        for i, grade in enumerate(column)
        if not isnan(grade)
    )
    evaluation = context.graded(bank).evaluate([best])[0]
    individual = Individual(best, evaluation, "initial", 0)
    return SearchState(1, (individual,), individual, bank, (), **fields)


@pytest.mark.parametrize(
    ("scores", "margin", "is_distinct"),
    [
        ([0.9, 0.7, 0.5, 0.3], None, True),
        ([0.9, 0.7, 0.3, 0.5], None, True),  # (2, 3) is wrong, and does not touch the tail
        ([0.7, 0.9, 0.5, 0.3], None, False),
        ([0.9, 0.9, 0.5, 0.3], None, False),
        ([0.9, 0.7, NAN, 0.3], None, False),
        ([0.9, 0.7, 0.5, 0.3], 0.15, True),
        ([0.9, 0.7, 0.5, 0.3], 0.25, False),
    ],
)
def test_a_tail_is_distinguished_if_every_pair_that_touches_it_has_the_margin(
    scores: list[float], margin: float | None, *, is_distinct: bool
) -> None:
    context = context_with(distinguish_margin=margin)

    assert is_distinguished(context, state_of(context, scores)) is is_distinct


def test_the_margin_must_exceed_the_uncertainty_of_the_votes() -> None:
    context = context_with(votes=2)
    steady, shaky = [0.9, 0.7, 0.5, 0.3], [0.5, 0.9, 0.5, 0.3]

    sure = state_of(context, steady, [0.88, 0.72, 0.5, 0.3])
    # The means still stand right, 0.75 above 0.7, but a standard error of 0.15 is larger than that.
    unsure = state_of(context, [0.9, 0.7, 0.5, 0.3], [0.6, 0.7, 0.5, 0.3])

    assert is_distinguished(context, sure)
    assert not is_distinguished(context, unsure)
    assert not is_distinguished(context, state_of(context, steady, shaky))


def test_a_prompt_without_tail_pairs_is_never_distinguished() -> None:
    context = context_of(prompt_with([1, 1, 1, 1]), fake_roles(), search_settings(), holdout=0)

    assert not is_distinguished(context, state_of(context, [0.9, 0.7, 0.5, 0.3]))


def test_a_prompt_stops_when_its_tail_is_distinguished_in_two_consecutive_generations() -> None:
    context = context_with(stop_when_distinguished=True)
    distinguished_scores = [0.9, 0.7, 0.5, 0.3]

    once = finish_generation(context, state_of(context, distinguished_scores))
    twice = finish_generation(context, replace(once, generation=2))
    interrupted = finish_generation(context, state_of(context, [0.1, 0.7, 0.5, 0.3], distinguished=1))

    assert (once.distinguished, once.stopped) == (1, None)
    assert (twice.distinguished, twice.stopped) == (2, StopReason.DISTINGUISHED)
    assert (interrupted.distinguished, interrupted.stopped) == (0, None)


def test_a_distinguished_prompt_continues_if_the_setting_is_off() -> None:
    context = context_with(stop_when_distinguished=False)

    assert finish_generation(context, state_of(context, [0.9, 0.7, 0.5, 0.3], distinguished=5)).stopped is None


@pytest.mark.parametrize(("limit", "reason"), [(0, None), (3, StopReason.STAGNATION), (4, None)])
def test_a_prompt_stops_after_the_configured_number_of_generations_without_improvement(
    limit: int, reason: StopReason | None
) -> None:
    context = context_with(stagnation_generations=limit)

    assert finish_generation(context, state_of(context, [0.1, 0.7, 0.5, 0.3], stagnation=3)).stopped is reason


def test_an_exhausted_budget_takes_precedence_over_other_reasons() -> None:
    context = context_with(stagnation_generations=1, stop_when_distinguished=True)
    state = state_of(context, [0.9, 0.7, 0.5, 0.3], stagnation=5, distinguished=5, stopped=StopReason.BUDGET)

    assert finish_generation(context, state).stopped is StopReason.BUDGET


def test_the_milestone_of_a_generation_is_recorded() -> None:
    context = context_with()

    state = finish_generation(context, state_of(context, [0.9, 0.7, 0.5, 0.3]))

    (milestone,) = state.history
    assert milestone.best == milestone.mean == state.best.evaluation.objective
    assert (milestone.diversity, milestone.calls) == (0, 0)


def test_a_search_without_new_rubrics_stops_by_stagnation_and_makes_no_more_requests() -> None:
    roles = replace(fake_roles(), proposer=ScriptedProposer(lambda request: None))
    settings = search_settings(
        stop={"stagnation_generations": 2}, evolution={"free_modes": ()}, initializer={"initial_proposals": 0}
    )

    state, conclusion = run(context_of(planted_prompt(8), roles, settings, generations=6))

    assert conclusion.stopped is StopReason.STAGNATION
    assert (state.generation, len(state.history), state.stagnation) == (6, 3, 2)
    assert state.last_calls.total == 0


def test_an_improvement_ends_stagnation() -> None:
    def late(request: ProposeRequest) -> Proposal | None:
        if request.attempt // 1000 < 3:
            return None
        return Proposal((criterion("a3"),), tuple(c.criterion_id for c in request.parent.criteria))

    roles = replace(fake_roles(), proposer=ScriptedProposer(late))
    settings = search_settings(
        stop={"stagnation_generations": 3},
        evolution={"free_modes": (), "mutations_per_round": 1, "racing": False},
        initializer={"initial_proposals": 0},
    )

    state, _ = run(context_of(planted_prompt(8, seed=4), roles, settings, generations=5, holdout=0))

    assert state.stagnation == 2
    assert state.stopped is None


def test_a_search_that_completes_all_generations_reports_that_reason() -> None:
    state, conclusion = run(context_of(planted_prompt(8), fake_roles(noise=0.3), generations=2))

    assert (state.generation, state.stopped, conclusion.stopped) == (2, None, StopReason.GENERATIONS)


@pytest.mark.parametrize("limit", [0, 1])
def test_a_run_can_search_fewer_generations_than_the_definition(limit: int) -> None:
    settings = search_settings(stop={"max_generations": limit})

    state, conclusion = run(context_of(planted_prompt(8), fake_roles(), settings, generations=3))

    assert (state.generation, len(state.history), conclusion.stopped) == (3, limit + 1, StopReason.GENERATIONS)


def test_a_search_without_generations_still_has_a_best_rubric() -> None:
    state, conclusion = run(context_of(planted_prompt(8), fake_roles(), generations=0))

    assert state.generation == 0
    assert conclusion.measured_rubric.fingerprint in {individual.fingerprint for individual in state.population}


def test_the_population_of_a_stopped_prompt_does_not_change() -> None:
    roles = fake_roles()
    context = context_of(planted_prompt(8), roles, generations=1)
    state, _ = run(context)
    stopped = replace(state, stopped=StopReason.STAGNATION)
    requests_before = len(roles.verifier.requests)

    skipped = asyncio.run(advance_search(context, stopped))

    assert len(roles.verifier.requests) == requests_before
    assert skipped == stopped.skip_generation()
    assert replace(skipped, generation=1, last_calls=state.last_calls, tried=state.tried, kept=state.kept) == stopped
