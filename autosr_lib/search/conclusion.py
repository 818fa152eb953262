"""The conclusion of a search: which rubric is the best, and how accurate it is on the hidden candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import BudgetExhausted
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import GradeBank, Need
from autosr_lib.evaluation.holdout import HoldoutCount, PairCount
from autosr_lib.evaluation.objective import Evaluation, margins, pair_credit, pair_weights
from autosr_lib.search.budget import is_affordable
from autosr_lib.search.context import SearchContext
from autosr_lib.search.free_mutations import MIN_WEIGHT, original_weights, reweight
from autosr_lib.search.grading import grade, missing_grades, plan_requests
from autosr_lib.search.population import Individual
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.rubric_edits import in_stored_form, with_weights
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import Calls, SearchState, StopReason
from autosr_lib.search.weight_fit import default_ridge, fit_weights

HOLDOUT_TIE_CREDIT = 0.5
"""Credit of a held-out pair whose scores are tied."""
NO_HOLDOUT = HoldoutCount(PairCount(0, 0.0, 0.0), PairCount(0, 0.0, 0.0), 0.0)
"""The counts if the hidden candidates were not graded."""
MIDDLE_QUANTILE = 0.5
"""The quantile assumed for a hidden candidate where only the visible labels are used."""


@dataclass(frozen=True)
class Finalist:
    """An individual that competes for the best, with its evaluation by fresh votes."""

    individual: Individual
    fresh: Evaluation


@dataclass(frozen=True)
class Conclusion:
    """The best rubric and its measurements.

    `measured_rubric` is the rubric that the search chose, and every figure belongs to it. `rubric` is the rubric to
    use: the same criteria, with weights fitted again on all candidates including the hidden ones. If the budget is too
    small to grade the hidden candidates, `holdout` counts no pairs and `rubric` equals `measured_rubric`.
    """

    rubric: Rubric
    measured_rubric: Rubric
    best: Finalist
    initial: Finalist
    finalists: tuple[Finalist, ...]
    """Best first."""
    candidate_scores: Mapping[str, float | None]
    """Score of every candidate under `rubric`; None where unscored."""
    best_candidate_id: str
    holdout: HoldoutCount
    calls: Calls
    """Of the conclusion alone."""
    bank: GradeBank
    stopped: StopReason


@dataclass(frozen=True)
class _GradingResult:
    """A bank after requests of the conclusion."""

    bank: GradeBank
    calls: Calls
    is_paid: bool
    """False if the budget of the run ended before the requests were made."""


async def conclude_search(context: SearchContext, state: SearchState) -> Conclusion:
    """Return the best finalist by fresh votes, and its held-out accuracy beside that of the initial rubric."""
    individuals = _finalists(context, state)
    state = replace(state, bank=state.bank.with_room_for(len(context.all_votes)))
    fresh = await _grade_fresh_votes(context, state, individuals)
    finalists = _evaluate_finalists(context, fresh.bank, individuals)
    best = max(finalists, key=lambda finalist: finalist.fresh.merit)
    initial = next(finalist for finalist in finalists if finalist.individual.fingerprint == state.initial.fingerprint)
    measured = _fitted_on_all_votes(context, fresh.bank, best.individual)
    needs = _hidden_needs(context, fresh.bank, [measured, state.initial.rubric])
    can_grade_hidden = is_affordable(context, state.calls + fresh.calls, len(plan_requests(context, needs)))
    hidden = await _grade(context, fresh.bank, needs if can_grade_hidden else [])
    is_measured = can_grade_hidden and not hidden.calls.ungraded
    rubric = _fitted_on_all_candidates(context, hidden.bank, measured) if is_measured else measured
    scores = _score_all(context, hidden.bank, [rubric])[0]
    is_paid = fresh.is_paid and hidden.is_paid
    return Conclusion(
        rubric=rubric,
        measured_rubric=measured,
        best=best,
        initial=initial,
        finalists=tuple(sorted(finalists, key=lambda finalist: finalist.fresh.merit, reverse=True)),
        candidate_scores=_scores_by_id(context, scores),
        best_candidate_id=context.prepared.prompt.candidates[
            int(np.nan_to_num(scores, nan=-1.0).argmax())
        ].candidate_id,
        holdout=_count_holdout(context, hidden.bank, state.initial.rubric, measured) if is_measured else NO_HOLDOUT,
        calls=fresh.calls + hidden.calls,
        bank=hidden.bank,
        stopped=(state.stopped or StopReason.GENERATIONS) if is_paid else StopReason.BUDGET,
    )


def _finalists(context: SearchContext, state: SearchState) -> list[Individual]:
    """Return the best individuals, and the initial one."""
    finalists = list(state.population[: context.settings.evolution.finalists])
    if state.initial.fingerprint not in {individual.fingerprint for individual in finalists}:
        finalists.append(state.initial)
    return finalists


async def _grade_fresh_votes(
    context: SearchContext, state: SearchState, finalists: Sequence[Individual]
) -> _GradingResult:
    """Return the bank with fresh votes for the visible candidates.

    No votes are requested if the budget could not also pay for the hidden candidates of whichever finalist wins.
    """
    rubrics = [finalist.rubric for finalist in finalists]
    needs = missing_grades(state.bank, rubrics, context.prepared.visible.tolist(), context.fresh_votes)
    hidden = (_hidden_needs(context, state.bank, [rubric, state.initial.rubric]) for rubric in rubrics)
    most_hidden = max(len(plan_requests(context, hidden_needs)) for hidden_needs in hidden)
    requests = len(plan_requests(context, needs)) + most_hidden
    return await _grade(context, state.bank, needs if is_affordable(context, state.calls, requests) else [])


async def _grade(context: SearchContext, bank: GradeBank, needs: Sequence[Need]) -> _GradingResult:
    """Return the bank with the needed grades; if the budget of the run is spent, they count as ungraded."""
    try:
        return _GradingResult(*await grade(context, bank, needs), is_paid=True)
    except BudgetExhausted:
        bank = bank.with_criteria((need.criterion for need in needs), context.prepared.texts)
        return _GradingResult(bank, Calls(ungraded=len(needs)), is_paid=False)


def _evaluate_finalists(context: SearchContext, bank: GradeBank, finalists: Sequence[Individual]) -> list[Finalist]:
    """Return the finalists evaluated by fresh votes alone, or by the votes of the search if fresh ones are missing."""
    rubrics, fresh = [finalist.rubric for finalist in finalists], context.fresh_votes
    has_fresh = len(fresh) and not missing_grades(bank, rubrics, context.prepared.visible.tolist(), fresh)
    evaluations = context.graded(bank, fresh if has_fresh else context.votes).evaluate(rubrics)
    return [Finalist(individual, evaluation) for individual, evaluation in zip(finalists, evaluations, strict=True)]


def _hidden_needs(context: SearchContext, bank: GradeBank, rubrics: Sequence[Rubric]) -> list[Need]:
    votes = range(context.settings.grading.holdout_votes)
    return missing_grades(bank, rubrics, context.prepared.hidden.tolist(), votes)


def _score_all(context: SearchContext, bank: GradeBank, rubrics: Sequence[Rubric]) -> FloatArray:
    """Return (rubrics, candidates) the scores of all candidates by all votes in the bank."""
    return context.graded(bank, context.all_votes).score(rubrics, _all_positions(context)).score


def _all_positions(context: SearchContext) -> range:
    return range(len(context.prepared.prompt.candidates))


def _scores_by_id(context: SearchContext, scores: FloatArray) -> dict[str, float | None]:
    return {
        candidate.candidate_id: None if np.isnan(score) else float(score)
        for candidate, score in zip(context.prepared.prompt.candidates, scores, strict=True)
    }


def _count_holdout(context: SearchContext, bank: GradeBank, initial: Rubric, best: Rubric) -> HoldoutCount:
    """Return the credit of both rubrics, and of the visible labels alone, on the held-out pairs."""
    prepared = context.prepared
    reference = prepared.complete_reference
    is_hidden = np.isin(np.arange(len(prepared.prompt.candidates)), prepared.hidden)
    labels = np.full((1, len(is_hidden)), MIDDLE_QUANTILE)
    labels[0, prepared.visible] = prepared.reference.quantiles
    scores = np.vstack([_score_all(context, bank, [initial, best]), labels])
    settings = context.settings.objective.model_copy(update={"tie_credit": HOLDOUT_TIE_CREDIT})
    credit = pair_credit(margins(scores, reference), settings)
    touching = is_hidden[reference.better] | is_hidden[reference.worse]
    unseen = is_hidden[reference.better] & is_hidden[reference.worse]
    initial_touching, best_touching, remembered = (credit * touching).sum(axis=1).tolist()
    initial_unseen, best_unseen, _ = (credit * unseen).sum(axis=1).tolist()
    return HoldoutCount(
        PairCount(int(touching.sum()), initial_touching, best_touching),
        PairCount(int(unseen.sum()), initial_unseen, best_unseen),
        remembered,
    )


def _fitted_on_all_votes(context: SearchContext, bank: GradeBank, best: Individual) -> Rubric:
    """Return the best rubric, with its weights fitted to all votes if the search fits weights."""
    fits_weights = (
        MutationMode.REWEIGHT in context.settings.evolution.free_modes and context.structure.mode is Mode.EVOLUTIONARY
    )
    if not fits_weights or best.operator not in set(MutationMode):
        return best.rubric
    return in_stored_form(reweight(best.rubric, context.graded(bank, context.all_votes)), bank)


def _fitted_on_all_candidates(context: SearchContext, bank: GradeBank, rubric: Rubric) -> Rubric:
    """Return the rubric, with its weights fitted on all candidates if `refit_on_all` is set."""
    if not context.settings.evolution.refit_on_all or context.structure.mode is Mode.ITERATIVE:
        return rubric
    reference, positions = context.prepared.complete_reference, _all_positions(context)
    weights = fit_weights(
        context.graded(bank, context.all_votes).aggregated_grades(rubric, positions),
        reference.better,
        reference.worse,
        pair_weights(reference, context.prepared.objective),
        original_weights(rubric, bank),
        ridge=default_ridge(len(positions), len(rubric.criteria)),
    )
    return with_weights(rubric, weights.tolist(), MIN_WEIGHT)
