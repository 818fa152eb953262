"""Mutations: how a child rubric is made from its parents (docs/method.md §7)."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank
from autosr_lib.evaluation.objective import evaluate, margins
from autosr_lib.evaluation.scoring import aggregate_votes, score_candidates
from autosr_lib.evaluation.settings import Aggregate
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.reweight import default_ridge, fit_weights
from autosr_lib.search.roles import Proposal

PERTURBATION = 0.5
"""Standard deviation of the logarithm of a perturbed weight."""
SIZE_PENALTY = 0.004
"""Objective that one more criterion must earn in a crossover."""
LEAST_WEIGHT = 1e-3
"""A fitted weight below this share is none: the criterion is dropped."""


def apply_proposal(parent: Rubric, proposal: Proposal, max_criteria: int) -> Rubric | None:
    """Return the parent with the proposal's criteria, or None when that says nothing new.

    New criteria together get the weight of those that they replace; where that is none, each gets the parent's mean
    weight.
    """
    replaced = {one.criterion_id for one in parent.criteria if one.criterion_id in proposal.replaces}
    kept = [
        one.model_copy(update={"weight": weight})
        for one, weight in zip(parent.criteria, parent.weights, strict=True)
        if one.criterion_id not in replaced
    ]
    fresh = {one.key: one for one in proposal.criteria if one.key not in parent.weight_by_key}
    if not fresh:
        return None
    freed = sum(
        weight for one, weight in zip(parent.criteria, parent.weights, strict=True) if one.criterion_id in replaced
    )
    share = freed / len(fresh) if freed > 0 else 1 / len(parent.criteria)
    added = [one.model_copy(update={"weight": share}) for one in fresh.values()]
    return rubric_of(_heaviest([*added, *kept], max_criteria))


def _heaviest(criteria: Sequence[Criterion], count: int) -> list[Criterion]:
    return sorted(criteria, key=lambda one: -one.weight)[:count] if len(criteria) > count else list(criteria)


def rubric_of(criteria: Iterable[Criterion]) -> Rubric:
    """Return a rubric of these criteria; one whose id is taken gets the next free number."""
    taken: set[str] = set()
    named = []
    for criterion in criteria:
        name, number = criterion.criterion_id, 2
        while name in taken:
            name, number = f"{criterion.criterion_id}_{number}", number + 1
        taken.add(name)
        named.append(
            criterion if name == criterion.criterion_id else criterion.model_copy(update={"criterion_id": name})
        )
    return Rubric(criteria=tuple(named))


def with_weights(rubric: Rubric, weights: Sequence[float], least: float = 0.0) -> Rubric:
    """Return the rubric with these weights; criteria below the `least` share are dropped, but never all."""
    floor = min(least, max(weights))
    kept = [
        criterion.model_copy(update={"weight": float(weight)})
        for criterion, weight in zip(rubric.criteria, weights, strict=True)
        if weight >= floor
    ]
    return Rubric(criteria=tuple(kept), rubric_id=rubric.rubric_id)


def perturb_weights(parent: Rubric, rng: np.random.Generator) -> Rubric:
    """Return the parent with each weight multiplied by a log-normal draw."""
    factors = np.exp(rng.normal(0.0, PERTURBATION, len(parent.criteria)))
    return with_weights(parent, (np.asarray(parent.weights) * factors).tolist())


def known_grades(
    bank: GradeBank, keys: Sequence[str], places: Sequence[int], votes: Sequence[int], aggregate: Aggregate
) -> FloatArray:
    """Return (criteria, candidates) one grade each; what is not known takes its criterion's mean, which tells nothing."""
    raw = bank.grades(keys, votes)[:, list(places)]
    grades = aggregate_votes(np.where(raw == NOT_APPLICABLE, np.nan, raw), aggregate)
    is_known = ~np.isnan(grades)
    means = np.where(is_known, grades, 0.0).sum(axis=1) / np.maximum(is_known.sum(axis=1), 1)
    return np.where(is_known, grades, means[:, None])


def reweight(
    rubric: Rubric, bank: GradeBank, prepared: PreparedPrompt, votes: Sequence[int], aggregate: Aggregate
) -> Rubric:
    """Return the rubric with its weights fitted to the visible pairs; criteria that earn none are dropped.

    The fit is held to the weights that the criteria were written with, which the bank remembers: held to fitted ones it
    would let go a little more in every generation.
    """
    grades = known_grades(bank, rubric.keys, prepared.visible.tolist(), votes, aggregate)
    written = written_weights(rubric, bank)
    name = hashlib.sha256(grades.tobytes() + written.tobytes()).digest()
    if name not in prepared.fitted:
        reference = prepared.reference
        ridge = default_ridge(len(prepared.visible), len(rubric.criteria))
        prepared.fitted[name] = fit_weights(
            grades, reference.better, reference.worse, prepared.fit_weights, written, ridge=ridge
        )
    return with_weights(rubric, prepared.fitted[name].tolist(), LEAST_WEIGHT)


def gather(
    bank: GradeBank, prepared: PreparedPrompt, votes: Sequence[int], aggregate: Aggregate, max_criteria: int
) -> Rubric | None:
    """Return all that the bank knows of every visible candidate as one rubric, its weights fitted to the pairs.

    None when replies that could not be read have left a hole in every criterion.
    To choose among criteria by the few pairs of one prompt is to choose by luck; to weigh all of them together, held
    to equal weights, is not. Only where they are too many do the lightest go.
    """
    known = bank.grades(list(bank.criteria), votes)[:, prepared.visible]
    is_known: list[bool] = np.asarray((~np.isnan(known)).all(axis=(1, 2))).tolist()
    if not any(is_known):
        return None
    whole = rubric_of(one for one, there in zip(bank.criteria.values(), is_known, strict=True) if there)
    fitted = reweight(whole, bank, prepared, votes, aggregate)
    if len(fitted.criteria) <= max_criteria:
        return fitted
    kept = _heaviest(fitted.criteria, max_criteria)
    return reweight(rubric_of(kept), bank, prepared, votes, aggregate)


def written_weights(rubric: Rubric, bank: GradeBank) -> FloatArray:
    """Return (criteria,) the weights that the rubric's criteria were written with, 1 the mean of their rubric."""
    return np.array([bank.criteria[key].weight for key in rubric.keys])


def as_written(rubric: Rubric) -> Rubric:
    """Return the rubric with its weights brought to the mean 1, as a bank remembers them."""
    return with_weights(rubric, [weight * len(rubric.criteria) for weight in rubric.weights])


def as_stored(rubric: Rubric, bank: GradeBank) -> Rubric:
    """Return the rubric as a table gives it back: weights that sum to 1, and criteria in the wording of the bank.

    Every individual is born like this, so that a search which goes on from a table goes on from the same thing.
    """
    return Rubric(
        criteria=tuple(
            bank.criteria[one.key].model_copy(update={"criterion_id": one.criterion_id, "weight": weight})
            for one, weight in zip(rubric.criteria, rubric.weights, strict=True)
        )
    )


def prune(
    rubric: Rubric, bank: GradeBank, prepared: PreparedPrompt, votes: Sequence[int], aggregate: Aggregate
) -> Rubric | None:
    """Return the rubric without criteria that are constant, repeat another's grades, or point the wrong way.

    None when nothing, or everything, would go. Of criteria with equal grades the heaviest stays.
    """
    grades = known_grades(bank, rubric.keys, prepared.visible.tolist(), votes, aggregate)
    signed = margins(grades, prepared.reference)
    leaning = (np.sign(signed) * prepared.fit_weights).sum(axis=1)
    order = sorted(range(len(rubric.criteria)), key=lambda i: -rubric.weights[i])
    seen: set[bytes] = set()
    kept: set[int] = set()
    for i in order:
        vector = np.round(grades[i], 9)
        if np.ptp(vector) == 0 or leaning[i] < 0 or vector.tobytes() in seen:
            continue
        seen.add(vector.tobytes())
        kept.add(i)
    if not kept or len(kept) == len(rubric.criteria):
        return None
    return Rubric(criteria=tuple(one for i, one in enumerate(rubric.criteria) if i in kept))


def crossover(
    one: Rubric,
    other: Rubric,
    bank: GradeBank,
    prepared: PreparedPrompt,
    votes: Sequence[int],
    aggregate: Aggregate,
    max_criteria: int,
) -> Rubric:
    """Return the criteria of both parents that together order the pairs best: greedy forward selection, equal weights.

    Each further criterion must earn `SIZE_PENALTY`.
    """
    pool = list({criterion.key: criterion for criterion in (*one.criteria, *other.criteria)}.values())
    grades = bank.grades([criterion.key for criterion in pool], votes)[:, prepared.visible]
    chosen: list[int] = []
    worth = -np.inf
    while len(chosen) < min(max_criteria, len(pool)):
        left = [i for i in range(len(pool)) if i not in chosen]
        weights = np.zeros((len(left), len(pool)))
        weights[:, chosen] = 1
        weights[np.arange(len(left)), left] = 1
        weights /= len(chosen) + 1
        found = evaluate(score_candidates(weights, grades, aggregate), prepared.reference, prepared.objective)
        objectives = [evaluation.objective - SIZE_PENALTY * (len(chosen) + 1) for evaluation in found]
        best = int(np.argmax(objectives))
        if objectives[best] <= worth:
            break
        worth = objectives[best]
        chosen.append(left[best])
    return rubric_of(pool[i].model_copy(update={"weight": 1.0}) for i in sorted(chosen))
