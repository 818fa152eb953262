"""The baseline refines one rubric by contrasting the two best candidates under it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.context import SearchContext
from autosr_lib.search.roles import Proposal, ProposeRequest
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import SearchState
from tests.fakes import FakeVerifier, FlakyVerifier, ScriptedProposer, criterion, fake_roles, prompt_with
from tests.worlds import context_of, run, search_settings

Script = Callable[[ProposeRequest], Proposal | None]

PROMPT = prompt_with(
    [6, 5, 4, 3, 2, 1],
    a0=[0.9, 0.7, 0.8, 0.3, 0.4, 0.1],
    a1=[0.6, 0.9, 0.5, 0.9, 0.1, 0.6],
    a2=[0.6, 0.5, 0.7, 0.6, 0.5, 0.3],
    right=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
    wrong=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
)
"""A prompt for which an initial rubric of `a0` and `a1` is good, but can be improved."""


def baseline(
    script: Script, *, accept: bool = True, verifier: FakeVerifier | None = None, **evolution: object
) -> SearchContext:
    roles = replace(fake_roles(), proposer=ScriptedProposer(script), verifier=verifier or FakeVerifier())
    settings = search_settings(evolution=evolution, refinement={"accept_only_if_improve": accept})
    return context_of(PROMPT, roles, settings, generations=3, mode=Mode.ITERATIVE, holdout=0)


def adding(name: str) -> Script:
    def script(request: ProposeRequest) -> Proposal:
        return Proposal((criterion(name),), tuple(c.criterion_id for c in request.parent.criteria))

    return script


def one_criterion_per_round(request: ProposeRequest) -> Proposal:
    return Proposal((criterion(("a2", "right", "wrong")[request.attempt // 1000 - 1]),))


def refined(context: SearchContext, rounds: int = 1) -> tuple[SearchState, SearchState]:
    """Return the state before and after this number of rounds."""

    async def go() -> tuple[SearchState, SearchState]:
        first = last = await start_search(context)
        for _ in range(rounds):
            last = await advance_search(context, last)
        return first, last

    return asyncio.run(go())


def test_a_round_makes_one_proposal_and_shows_the_two_best_candidates() -> None:
    context = baseline(adding("right"))

    before, _ = refined(context)

    (request,) = context.roles.proposer.requests
    (pair,) = request.pairs
    # Under a0 and a1 the second candidate is best and the first is next; the reference orders them the other way round.
    assert (pair.better_text, pair.worse_text) == (PROMPT.candidates[0].text, PROMPT.candidates[1].text)
    assert pair.fault == "misordered"
    assert request.parent == before.best.rubric


def test_a_better_refinement_replaces_the_rubric() -> None:
    before, after = refined(baseline(adding("right")))

    assert after.best.evaluation.objective > before.best.evaluation.objective
    assert [c.text for c in after.best.rubric.criteria] == ["right"]
    assert len(after.population) == 1
    assert (after.tried, after.kept) == ({"raise_bar": 1}, {"raise_bar": 1})


def test_a_worse_refinement_is_dropped_by_default() -> None:
    before, after = refined(baseline(adding("wrong")))

    assert after.population == before.population
    assert after.kept == {"raise_bar": 0}
    assert after.stagnation == 1


@pytest.mark.parametrize("population_size", [1, 2, 8])
def test_every_refinement_can_be_kept_as_in_the_paper(population_size: int) -> None:
    context = baseline(adding("wrong"), accept=False, population_size=population_size)

    before, after = refined(context)

    assert after.best.evaluation.objective < before.best.evaluation.objective
    assert [c.text for c in after.best.rubric.criteria] == ["wrong"]


def test_an_incomplete_refinement_never_displaces_a_complete_rubric() -> None:
    class DeafTo(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            graded = await super().grade(request)
            return {key: grade for key, grade in graded.items() if key != criterion("right").key}

    for accept in (True, False):
        before, after = refined(baseline(adding("right"), accept=accept, verifier=DeafTo()))

        assert after.population == before.population
        assert after.calls.ungraded == 6


def test_a_round_without_new_criteria_keeps_the_rubric() -> None:
    for script in (lambda request: None, lambda request: Proposal(request.parent.criteria)):
        before, after = refined(baseline(script))

        assert after.population == before.population
        assert (after.generation, after.tried) == (1, {})


def test_the_baseline_ignores_the_settings_for_free_modes_and_racing() -> None:
    ignored_settings = {
        "free_modes": ("reweight", "prune", "crossover", "gather"),
        "racing": True,
        "refit_on_all": True,
    }
    context = baseline(one_criterion_per_round, accept=False, **ignored_settings)

    state, conclusion = run(context)

    assert {ancestor.operator for ancestor in state.ancestors} == {"initial", "raise_bar"}
    assert state.calls.saved_by_racing == 0
    assert set(state.best.rubric.weights) == {1 / len(state.best.rubric.criteria)}
    assert conclusion.rubric == conclusion.measured_rubric


def test_the_best_of_a_baseline_that_only_accepts_improvements_never_gets_worse() -> None:
    state, _ = run(baseline(one_criterion_per_round))

    best = [milestone.best for milestone in state.history]
    assert best == sorted(best)


def test_missing_grades_are_requested_again_and_the_rubric_is_evaluated_again() -> None:
    before, after = refined(baseline(lambda request: None, verifier=FlakyVerifier(unread=1)))

    assert not before.best.evaluation.is_complete
    assert after.best.evaluation.is_complete
    assert after.initial == after.best
