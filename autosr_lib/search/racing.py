"""Racing (METHOD §7): a new criterion must first separate the pairs that it was written for."""

from collections.abc import Sequence

import numpy as np

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank, Need
from autosr_lib.search.contrast import Contrasted
from autosr_lib.search.mutation import with_weights

FIRST_VOTE = 0


def first_heat(rubric: Rubric, pairs: Sequence[Contrasted], bank: GradeBank) -> list[Need]:
    """Return what must be graded first: the rubric's new criteria, one vote, the candidates of its pairs."""
    places = sorted({place for pair in pairs for place in (pair.better, pair.worse)})
    return [
        Need(criterion, place, FIRST_VOTE, rubric.fingerprint)
        for criterion in rubric.criteria
        for place in places
        if criterion.measure is None and not bank.has(criterion.key, place, FIRST_VOTE)
    ]


def is_wrong_way(criterion: Criterion, pairs: Sequence[Contrasted], bank: GradeBank) -> bool:
    """Return whether the criterion's first vote favours the worse candidates of its pairs, in sum."""
    column = bank.grades([criterion.key], [FIRST_VOTE])[0, :, 0]
    known = np.where(column == NOT_APPLICABLE, np.nan, column)
    gaps = [known[pair.better] - known[pair.worse] for pair in pairs]
    return bool(np.nansum(gaps) < 0)


def winners(rubric: Rubric, raced: frozenset[str], pairs: Sequence[Contrasted], bank: GradeBank) -> Rubric | None:
    """Return the rubric without the criteria that lost their race, or None when it has nothing new left.

    Args:
        rubric: a child.
        raced: the keys of its new criteria.
        pairs: those that they were written for.
        bank: with the grades of the first heat.
    """
    lost = {c.key for c in rubric.criteria if c.key in raced and is_wrong_way(c, pairs, bank)}
    if raced <= lost:
        return None
    if not lost:
        return rubric
    kept = [c for c in rubric.criteria if c.key not in lost]
    return with_weights(Rubric(criteria=tuple(kept)), [c.weight for c in kept])
