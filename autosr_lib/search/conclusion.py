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
from autosr_lib.search.state import Calls, SearchContext, State, StopReason

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


async def conclude(context: SearchContext, state: State) -> Conclusion:
    """Return the best of the finalists by fresh votes, and its held-out accuracy beside the initial rubric's."""
    runners = [*state.population[: context.settings.evolution.finalists]]
    if state.initial.fingerprint not in {one.fingerprint for one in runners}:
        runners.append(state.initial)
    state = replace(state, bank=state.bank.with_room_for(len(context.all_votes)))
    bank, calls, is_paid = await _grade_fresh(context, state, runners)
    finalists = _judge_finalists(context, bank, runners)
    best = max(finalists, key=lambda one: one.fresh.merit)
    initial = next(one for one in finalists if one.individual.fingerprint == state.initial.fingerprint)
    measured = _settled(context, bank, best.individual)
    needs = _hidden_needs(context, bank, [measured, state.initial.rubric])
    is_measured = _can_pay(context, state.calls + calls, len(parcels(context, needs)))
    bank, hidden_calls, is_hidden_paid = await _grade_if_paid(context, bank, needs if is_measured else [])
    is_measured = is_measured and not hidden_calls.ungraded
    rubric = _refitted(context, bank, measured) if is_measured else measured
    scores = _all_scores(context, bank, [rubric])[0]
    candidates = context.prepared.prompt.candidates
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
        holdout=_holdout(context, bank, state.initial.rubric, measured) if is_measured else NOTHING_HELD_OUT,
        calls=calls + hidden_calls,
        bank=bank,
        stopped=(state.stopped or StopReason.GENERATIONS) if is_paid and is_hidden_paid else StopReason.BUDGET,
    )


async def _grade_fresh(
    context: SearchContext, state: State, runners: list[Individual]
) -> tuple[GradeBank, Calls, bool]:
    """Return the bank with fresh votes of the visible candidates, the calls, and whether the run could pay for them.

    They are left out where the budget would not also pay for the hidden candidates of whichever runner wins.
    """
    fresh = context.all_votes[context.settings.grading.num_votes :][: context.settings.grading.finalist_votes]
    needs = missing(state.bank, (one.rubric for one in runners), context.prepared.visible.tolist(), fresh)
    hidden = (_hidden_needs(context, state.bank, [one.rubric, state.initial.rubric]) for one in runners)
    asked = len(parcels(context, needs)) + max(len(parcels(context, found)) for found in hidden)
    return await _grade_if_paid(context, state.bank, needs if _can_pay(context, state.calls, asked) else [])


async def _grade_if_paid(
    context: SearchContext, bank: GradeBank, needs: Sequence[Need]
) -> tuple[GradeBank, Calls, bool]:
    """Return the bank with what was asked for, the calls and True.

    When the run's budget is spent: the bank as it is, the needs as ungraded, and False.
    """
    try:
        return *await grade(context, bank, needs), True
    except BudgetExhausted:
        bank = bank.with_criteria((need.criterion for need in needs), context.prepared.texts)
        return bank, Calls(ungraded=len(needs)), False


def _judge_finalists(context: SearchContext, bank: GradeBank, runners: list[Individual]) -> list[Finalist]:
    """Return the runners with their evaluation by fresh votes alone, or by the search's where there are none."""
    rubrics = [one.rubric for one in runners]
    places = context.prepared.visible.tolist()
    fresh = context.all_votes[context.settings.grading.num_votes :][: context.settings.grading.finalist_votes]
    votes = fresh if len(fresh) and not missing(bank, rubrics, places, fresh) else context.votes
    found = evaluate_rubrics(rubrics, bank, context.prepared, votes, context.settings.grading.aggregate)
    return [Finalist(one, evaluation) for one, evaluation in zip(runners, found, strict=True)]


def _can_pay(context: SearchContext, calls: Calls, asked: int) -> bool:
    budget = context.settings.stop.max_calls_per_prompt
    return budget is None or calls.total + asked <= budget


def _hidden_needs(context: SearchContext, bank: GradeBank, rubrics: list[Rubric]) -> list[Need]:
    votes = range(context.settings.grading.holdout_votes)
    return missing(bank, rubrics, context.prepared.hidden.tolist(), votes)


def _all_scores(context: SearchContext, bank: GradeBank, rubrics: list[Rubric]) -> FloatArray:
    """Return (rubrics, candidates) the scores of all candidates by all votes that were cast."""
    places = list(range(len(context.prepared.prompt.candidates)))
    return score_rubrics(rubrics, bank, places, context.all_votes, context.settings.grading.aggregate).score


def _holdout(context: SearchContext, bank: GradeBank, initial: Rubric, best: Rubric) -> HoldoutCount:
    """Return what both rubrics, and the visible labels alone, earn on the pairs that were held out."""
    prepared = context.prepared
    reference = prepared.whole_reference
    is_hidden = np.isin(np.arange(len(prepared.prompt.candidates)), prepared.hidden)
    labels = np.full((1, len(is_hidden)), MIDDLE)
    labels[0, prepared.visible] = prepared.reference.quantiles
    scores = np.vstack([_all_scores(context, bank, [initial, best]), labels])
    settings = context.settings.objective.model_copy(update={"tie_credit": HOLDOUT_TIE_CREDIT})
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


def _settled(context: SearchContext, bank: GradeBank, best: Individual) -> Rubric:
    """Return the best with its weights fitted to all votes that were cast, where the search fits weights at all."""
    is_fitted = (
        MutationMode.REWEIGHT in context.settings.evolution.free_modes and context.structure.mode is Mode.EVOLUTIONARY
    )
    if not is_fitted or best.operator not in set(MutationMode):
        return best.rubric
    return as_stored(
        reweight(best.rubric, bank, context.prepared, context.all_votes, context.settings.grading.aggregate), bank
    )


def _refitted(context: SearchContext, bank: GradeBank, rubric: Rubric) -> Rubric:
    """Return the rubric with its weights fitted on all candidates, where the settings ask for it."""
    if not context.settings.evolution.refit_on_all or context.structure.mode is Mode.ITERATIVE:
        return rubric
    reference = context.prepared.whole_reference
    n = len(context.prepared.prompt.candidates)
    grades = known_grades(bank, rubric.keys, range(n), context.all_votes, context.settings.grading.aggregate)
    fitted = fit_weights(
        grades,
        reference.better,
        reference.worse,
        pair_weights(reference, context.prepared.objective),
        written_weights(rubric, bank),
        ridge=default_ridge(n, len(rubric.criteria)),
    )
    return with_weights(rubric, fitted.tolist(), LEAST_WEIGHT)
