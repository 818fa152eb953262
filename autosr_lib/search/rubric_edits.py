"""Functions that make a rubric from criteria, weights or another rubric."""

from collections.abc import Iterable, Sequence

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import GradeBank


def make_rubric(criteria: Iterable[Criterion]) -> Rubric:
    """Return a rubric of these criteria; a repeated id gets a number to make it unique.

    >>> rubric = make_rubric([Criterion(criterion_id="c", text="Clear."), Criterion(criterion_id="c", text="Short.")])
    >>> [criterion.criterion_id for criterion in rubric.criteria]
    ['c', 'c_2']
    """
    used_ids: set[str] = set()
    renamed = []
    for criterion in criteria:
        unique_id, number = criterion.criterion_id, 2
        while unique_id in used_ids:
            unique_id, number = f"{criterion.criterion_id}_{number}", number + 1
        used_ids.add(unique_id)
        is_renamed = unique_id != criterion.criterion_id
        renamed.append(criterion.model_copy(update={"criterion_id": unique_id}) if is_renamed else criterion)
    return Rubric(criteria=tuple(renamed))


def heaviest(criteria: Sequence[Criterion], count: int) -> list[Criterion]:
    """Return the `count` criteria of most weight, heaviest first; if there are no more than that, all as they are.

    >>> weighted = [Criterion(criterion_id=name, text=name, weight=weight) for name, weight in [("a", 1), ("b", 3)]]
    >>> [criterion.criterion_id for criterion in heaviest(weighted, 1)]
    ['b']
    """
    if len(criteria) <= count:
        return list(criteria)
    return sorted(criteria, key=lambda criterion: -criterion.weight)[:count]


def with_weights(rubric: Rubric, weights: Sequence[float], min_weight: float = 0.0) -> Rubric:
    """Return the rubric with these weights and without criteria below `min_weight`; the heaviest always stays.

    >>> rubric = make_rubric([Criterion(criterion_id=name, text=name) for name in "ab"])
    >>> [(criterion.criterion_id, criterion.weight) for criterion in with_weights(rubric, [0.9, 0.1], 0.2).criteria]
    [('a', 0.9)]
    """
    threshold = min(min_weight, max(weights))
    kept = [
        criterion.model_copy(update={"weight": float(weight)})
        for criterion, weight in zip(rubric.criteria, weights, strict=True)
        if weight >= threshold
    ]
    return Rubric(criteria=tuple(kept), rubric_id=rubric.rubric_id)


def with_mean_weight_one(rubric: Rubric) -> Rubric:
    """Return the rubric with its weights scaled to the mean 1, as a bank stores criteria.

    >>> rubric = make_rubric([Criterion(criterion_id=name, text=name, weight=0.2) for name in "ab"])
    >>> [criterion.weight for criterion in with_mean_weight_one(rubric).criteria]
    [1.0, 1.0]
    """
    return with_weights(rubric, [weight * len(rubric.criteria) for weight in rubric.weights])


def in_stored_form(rubric: Rubric, bank: GradeBank) -> Rubric:
    """Return the rubric as it is read back from a table: weights of sum 1, and criteria worded as in the bank.

    Every individual is created in this form, so that a search resumed from a table continues with equal values.

    >>> rubric = make_rubric([Criterion(criterion_id=name, text=name, weight=2) for name in "ab"])
    >>> stored = in_stored_form(rubric, GradeBank(0, 1).with_criteria(rubric.criteria, ("A prompt.", ())))
    >>> [criterion.weight for criterion in stored.criteria]
    [0.5, 0.5]
    """
    return Rubric(
        criteria=tuple(
            bank.criteria[criterion.key].model_copy(update={"criterion_id": criterion.criterion_id, "weight": weight})
            for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True)
        )
    )
