"""Racing (docs/method.md §7): a new criterion must first separate the pairs that it was written for."""

from collections.abc import Sequence

import numpy as np

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank, Need
from autosr_lib.search.contrast import Contrasted
from autosr_lib.search.mutation import with_weights

FIRST_VOTE = 0


def first_heat(
    needs: Sequence[Need], races: Sequence[tuple[frozenset[str], Sequence[Contrasted]]], *, is_pooled: bool
) -> list[Need]:
    """Return what must be graded first of what is needed: one vote of new criteria on the candidates of their pairs.

    Where siblings' criteria share requests they also share the candidates of the first heat: else a candidate would be
    sent twice, for the criteria that race on it and then for the others, and racing would cost more than it saves.

    Args:
        needs: all that the children lack.
        races: of each child, the keys of its new criteria and the pairs that they were written for.
        is_pooled: whether siblings' criteria share requests.
    """
    places: dict[str, set[int]] = {}
    for keys, pairs in races:
        for key in keys:
            places.setdefault(key, set()).update(place for pair in pairs for place in (pair.better, pair.worse))
    union = set().union(*places.values())
    return [
        need
        for need in needs
        if need.vote == FIRST_VOTE and need.candidate in (union if is_pooled else places.get(need.criterion.key, ()))
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
