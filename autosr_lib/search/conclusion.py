"""The end of a search: which rubric is the best, and what it is worth on what the search has not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import BudgetExhausted
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import GradeBank, Need
from autosr_lib.evaluation.holdout import HoldoutCount, PairCount
from autosr_lib.evaluation.objective import Evaluation, margins, pair_credit, pair_weights
from autosr_lib.search.grading import grade, missing, parcels
from autosr_lib.search.mutation import LEAST_WEIGHT, as_stored, known_grades, reweight, with_weights, written_weights
from autosr_lib.search.population import Individual, evaluate_rubrics, score_rubrics
from autosr_lib.search.reweight import default_ridge, fit_weights
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import Calls, State, StopReason, Task

HOLDOUT_TIE_CREDIT = 0.5
NOTHING_HELD_OUT = HoldoutCount(PairCount(0, 0.0, 0.0), PairCount(0, 0.0, 0.0), 0.0)
MIDDLE = 0.5
"""Where a quantile that nobody knows is put."""


@dataclass(frozen=True)
class Finalist:
    """A candidate for the best, by the votes it was found with and by fresh ones."""

    individual: Individual
    fresh: Evaluation


@dataclass(frozen=True)
class Conclusion:
    """The chosen rubric and what was measured of it.

    `measured_rubric` is the one that the search chose and that every figure belongs to; `rubric` has the same criteria
    with weights fitted once more on all candidates, the hidden ones too, and is the one to use. Where the budget cannot
    pay for the hidden candidates, `holdout` counts no pairs and nothing is refitted.
    """

    rubric: Rubric
    measured_rubric: Rubric
    best: Finalist
    initial: Finalist
    finalists: tuple[Finalist, ...]
    candidate_scores: Mapping[str, float | None]
    """Score of every candidate under `rubric`; None where unscored."""
    best_candidate_id: str
    holdout: HoldoutCount
    calls: Calls
    """Of the conclusion alone."""
    bank: GradeBank
    stopped: StopReason


async def conclude(task: Task, state: State) -> Conclusion:
    """Return the best of the finalists by fresh votes, and its held-out accuracy beside the initial rubric's."""
    runners = [*state.population[: task.settings.evolution.finalists]]
    if state.initial.fingerprint not in {one.fingerprint for one in runners}:
        runners.append(state.initial)
    state = replace(state, bank=state.bank.with_room_for(len(task.all_votes)))
    bank, calls, is_paid = await _grade_fresh(task, state, runners)
    finalists = _judge_finalists(task, bank, runners)
    best = max(finalists, key=lambda one: one.fresh.merit)
    initial = next(one for one in finalists if one.individual.fingerprint == state.initial.fingerprint)
    measured = _settled(task, bank, best.individual)
    needs = _hidden_needs(task, bank, [measured, state.initial.rubric])
    is_measured = _can_pay(task, state.calls + calls, len(parcels(task, needs)))
    bank, hidden_calls, is_hidden_paid = await _grade_if_paid(task, bank, needs if is_measured else [])
    is_measured = is_measured and not hidden_calls.ungraded
    rubric = _refitted(task, bank, measured) if is_measured else measured
    scores = _all_scores(task, bank, [rubric])[0]
    candidates = task.case.prompt.candidates
    return Conclusion(
        rubric=rubric,
        measured_rubric=measured,
        best=best,
        initial=initial,
        finalists=tuple(sorted(finalists, key=lambda one: one.fresh.merit, reverse=True)),
        candidate_scores={
            candidate.candidate_id: None if np.isnan(score) else float(score)
            for candidate, score in zip(candidates, scores, strict=True)
        },
        best_candidate_id=candidates[int(np.argmax(np.nan_to_num(scores, nan=-1.0)))].candidate_id,
        holdout=_holdout(task, bank, state.initial.rubric, measured) if is_measured else NOTHING_HELD_OUT,
        calls=calls + hidden_calls,
        bank=bank,
        stopped=(state.stopped or StopReason.GENERATIONS) if is_paid and is_hidden_paid else StopReason.BUDGET,
    )


async def _grade_fresh(task: Task, state: State, runners: list[Individual]) -> tuple[GradeBank, Calls, bool]:
    """Return the bank with fresh votes of the visible candidates, the calls, and whether the run could pay for them.

    They are left out where the budget would not also pay for the hidden candidates of whichever runner wins.
    """
    fresh = task.all_votes[task.settings.grading.num_votes :][: task.settings.grading.finalist_votes]
    needs = missing(state.bank, (one.rubric for one in runners), task.case.visible.tolist(), fresh)
    hidden = (_hidden_needs(task, state.bank, [one.rubric, state.initial.rubric]) for one in runners)
    asked = len(parcels(task, needs)) + max(len(parcels(task, found)) for found in hidden)
    return await _grade_if_paid(task, state.bank, needs if _can_pay(task, state.calls, asked) else [])


async def _grade_if_paid(task: Task, bank: GradeBank, needs: Sequence[Need]) -> tuple[GradeBank, Calls, bool]:
    """Return the bank with what was asked for, the calls and True.

    When the run's budget is spent: the bank as it is, the needs as ungraded, and False.
    """
    try:
        return *await grade(task, bank, needs), True
    except BudgetExhausted:
        bank = bank.with_criteria((need.criterion for need in needs), task.case.texts)
        return bank, Calls(ungraded=len(needs)), False


def _judge_finalists(task: Task, bank: GradeBank, runners: list[Individual]) -> list[Finalist]:
    """Return the runners with their evaluation by fresh votes alone, or by the search's where there are none."""
    rubrics = [one.rubric for one in runners]
    places = task.case.visible.tolist()
    fresh = task.all_votes[task.settings.grading.num_votes :][: task.settings.grading.finalist_votes]
    votes = fresh if len(fresh) and not missing(bank, rubrics, places, fresh) else task.votes
    found = evaluate_rubrics(rubrics, bank, task.case, votes, task.settings.grading.aggregate)
    return [Finalist(one, evaluation) for one, evaluation in zip(runners, found, strict=True)]


def _can_pay(task: Task, calls: Calls, asked: int) -> bool:
    budget = task.settings.stop.max_calls_per_prompt
    return budget is None or calls.total + asked <= budget


def _hidden_needs(task: Task, bank: GradeBank, rubrics: list[Rubric]) -> list[Need]:
    votes = range(task.settings.grading.holdout_votes)
    return missing(bank, rubrics, task.case.hidden.tolist(), votes)


def _all_scores(task: Task, bank: GradeBank, rubrics: list[Rubric]) -> FloatArray:
    """Return (rubrics, candidates) the scores of all candidates by all votes that were cast."""
    places = list(range(len(task.case.prompt.candidates)))
    return score_rubrics(rubrics, bank, places, task.all_votes, task.settings.grading.aggregate).score


def _holdout(task: Task, bank: GradeBank, initial: Rubric, best: Rubric) -> HoldoutCount:
    """Return what both rubrics, and the visible labels alone, earn on the pairs that were held out."""
    case = task.case
    reference = case.whole_reference
    is_hidden = np.isin(np.arange(len(case.prompt.candidates)), case.hidden)
    labels = np.full((1, len(is_hidden)), MIDDLE)
    labels[0, case.visible] = case.reference.quantiles
    scores = np.vstack([_all_scores(task, bank, [initial, best]), labels])
    settings = task.settings.objective.model_copy(update={"tie_credit": HOLDOUT_TIE_CREDIT})
    credit = pair_credit(margins(scores, reference), settings)
    touching = is_hidden[reference.better] | is_hidden[reference.worse]
    unseen = is_hidden[reference.better] & is_hidden[reference.worse]
    first, last, remembered = (credit * touching).sum(axis=1).tolist()
    first_unseen, last_unseen, _ = (credit * unseen).sum(axis=1).tolist()
    return HoldoutCount(
        PairCount(int(touching.sum()), first, last),
        PairCount(int(unseen.sum()), first_unseen, last_unseen),
        remembered,
    )


def _settled(task: Task, bank: GradeBank, best: Individual) -> Rubric:
    """Return the best with its weights fitted to all votes that were cast, where the search fits weights at all."""
    is_fitted = MutationMode.REWEIGHT in task.settings.evolution.free_modes and task.structure.mode is Mode.EVOLUTIONARY
    if not is_fitted or best.operator not in set(MutationMode):
        return best.rubric
    return as_stored(reweight(best.rubric, bank, task.case, task.all_votes, task.settings.grading.aggregate), bank)


def _refitted(task: Task, bank: GradeBank, rubric: Rubric) -> Rubric:
    """Return the rubric with its weights fitted on all candidates, where the settings ask for it."""
    if not task.settings.evolution.refit_on_all or task.structure.mode is Mode.ITERATIVE:
        return rubric
    reference = task.case.whole_reference
    n = len(task.case.prompt.candidates)
    grades = known_grades(bank, rubric.keys, range(n), task.all_votes, task.settings.grading.aggregate)
    fitted = fit_weights(
        grades,
        reference.better,
        reference.worse,
        pair_weights(reference, task.case.objective),
        written_weights(rubric, bank),
        ridge=default_ridge(n, len(rubric.criteria)),
    )
    return with_weights(rubric, fitted.tolist(), LEAST_WEIGHT)
