"""Mutations that need no model call, since they only use grades from the bank (docs/method.md §7)."""

import hashlib

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.evaluation.objective import evaluate, margins
from autosr_lib.evaluation.scoring import score_candidates
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.rubric_edits import heaviest, make_rubric, with_weights
from autosr_lib.search.weight_fit import default_ridge, fit_weights

MIN_WEIGHT = 1e-3
"""A criterion whose fitted weight is below this share of the rubric is dropped."""
SIZE_PENALTY = 0.004
"""Objective that each further criterion must add in a crossover."""


def original_weights(rubric: Rubric, bank: GradeBank) -> FloatArray:
    """Return (criteria,) the weights that the criteria were first written with, scaled to a mean of 1 per rubric.

    >>> from autosr_lib.domain.rubric import Criterion
    >>> rubric = Rubric(criteria=(Criterion(criterion_id="a", text="Clear."), Criterion(criterion_id="b", text="Short.")))
    >>> bank = GradeBank(0, 1).with_criteria(with_weights(rubric, [1.5, 0.5]).criteria, ("A prompt.", ()))
    >>> original_weights(rubric, bank).tolist()
    [1.5, 0.5]
    """
    return np.array([bank.criteria[key].weight for key in rubric.keys])


def reweight(rubric: Rubric, graded: GradedPrompt) -> Rubric:
    """Return the rubric with its weights fitted to the visible pairs, without criteria of negligible weight.

    The ridge pulls toward the weights that the criteria were first written with, which the bank stores. Toward
    weights that were already fitted, the pull would get weaker in every generation.
    """
    prepared = graded.prepared
    grades = graded.aggregated_grades(rubric)
    original = original_weights(rubric, graded.bank)
    cache_key = hashlib.sha256(grades.tobytes() + original.tobytes()).digest()
    if cache_key not in prepared.fit_cache:
        reference = prepared.reference
        ridge = default_ridge(len(prepared.visible), len(rubric.criteria))
        prepared.fit_cache[cache_key] = fit_weights(
            grades, reference.better, reference.worse, prepared.pair_weights, original, ridge=ridge
        )
    return with_weights(rubric, prepared.fit_cache[cache_key].tolist(), MIN_WEIGHT)


def gather(graded: GradedPrompt, max_criteria: int) -> Rubric | None:
    """Return a rubric of all criteria that are graded on every visible candidate, with fitted weights.

    None if no criterion is graded on every visible candidate. With more than `max_criteria` criteria, those of least
    fitted weight are dropped and the others are fitted again. Weighing all criteria generalises better than choosing
    among them by the few pairs of one prompt (docs/method.md §7).
    """
    bank = graded.bank
    is_graded = ~np.isnan(graded.grades(list(bank.criteria)))
    is_complete: list[bool] = np.asarray(is_graded.all(axis=(1, 2))).tolist()
    if not any(is_complete):
        return None
    criteria = (criterion for criterion, keep in zip(bank.criteria.values(), is_complete, strict=True) if keep)
    fitted = reweight(make_rubric(criteria), graded)
    if len(fitted.criteria) <= max_criteria:
        return fitted
    return reweight(make_rubric(heaviest(fitted.criteria, max_criteria)), graded)


def prune(rubric: Rubric, graded: GradedPrompt) -> Rubric | None:
    """Return the rubric without criteria that are constant, duplicate another's grades, or point the wrong way.

    Of criteria with equal grades the heaviest stays. None if no criterion, or every criterion, would be dropped.
    """
    grades = graded.aggregated_grades(rubric)
    signed = margins(grades, graded.prepared.reference)
    direction = (np.sign(signed) * graded.prepared.pair_weights).sum(axis=1)
    heaviest_first = sorted(range(len(rubric.criteria)), key=lambda i: -rubric.weights[i])
    seen: set[bytes] = set()
    kept: set[int] = set()
    for i in heaviest_first:
        vector = np.round(grades[i], 9)
        if np.ptp(vector) == 0 or direction[i] < 0 or vector.tobytes() in seen:
            continue
        seen.add(vector.tobytes())
        kept.add(i)
    if not kept or len(kept) == len(rubric.criteria):
        return None
    return Rubric(criteria=tuple(criterion for i, criterion in enumerate(rubric.criteria) if i in kept))


def crossover(first: Rubric, second: Rubric, graded: GradedPrompt, max_criteria: int) -> Rubric:
    """Return the criteria of both parents that order the pairs best together, with equal weights.

    Greedy forward selection: the criterion that raises the objective most is added, as long as it adds at least
    `SIZE_PENALTY`.
    """
    pool = list({criterion.key: criterion for criterion in (*first.criteria, *second.criteria)}.values())
    grades = graded.grades([criterion.key for criterion in pool])
    prepared = graded.prepared
    selected: list[int] = []
    best_objective = -np.inf
    while len(selected) < min(max_criteria, len(pool)):
        remaining = [i for i in range(len(pool)) if i not in selected]
        weights = np.zeros((len(remaining), len(pool)))
        weights[:, selected] = 1
        weights[np.arange(len(remaining)), remaining] = 1
        weights /= len(selected) + 1
        evaluations = evaluate(
            score_candidates(weights, grades, graded.aggregate), prepared.reference, prepared.objective
        )
        objectives = [evaluation.objective - SIZE_PENALTY * (len(selected) + 1) for evaluation in evaluations]
        best = int(np.argmax(objectives))
        if objectives[best] <= best_objective:
            break
        best_objective = objectives[best]
        selected.append(remaining[best])
    return make_rubric(pool[i].model_copy(update={"weight": 1.0}) for i in sorted(selected))
