"""Racing (docs/method.md §7): a new criterion must first order the pairs that it was written for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank, Need
from autosr_lib.evaluation.settings import Grading
from autosr_lib.search.children import Child
from autosr_lib.search.context import SearchContext
from autosr_lib.search.contrast import ChosenPair
from autosr_lib.search.grading import grade, missing_grades, plan_requests
from autosr_lib.search.rubric_edits import with_weights
from autosr_lib.search.state import Calls

FIRST_VOTE = 0
"""The vote by which criteria race."""


class Entrant(NamedTuple):
    """The new criteria of a child, and the pairs that they were written for."""

    new_keys: frozenset[str]
    pairs: Sequence[ChosenPair]


@dataclass(frozen=True)
class RaceResult:
    """The children after the race, and the bank with the grades of the race."""

    survivors: tuple[Child, ...]
    """The children without the criteria that lost; of children that became equal, only the first."""
    bank: GradeBank
    calls: Calls
    """The requests that the race made and saved."""


async def race(context: SearchContext, bank: GradeBank, children: Sequence[Child]) -> RaceResult:
    """Return the children without the new criteria that order their pairs wrongly."""
    is_pooled = context.settings.grading.grading is Grading.POOLED
    entrants = [Entrant(child.new_keys, child.plan.pairs) for child in children]
    heat = first_heat(_missing(context, bank, children), entrants, is_pooled=is_pooled)
    bank, calls = await grade(context, bank, heat)
    requests_before = plan_requests(context, _missing(context, bank, children))
    survivors: dict[str, Child] = {}
    for child, entrant in zip(children, entrants, strict=True):
        rubric = without_losers(child.rubric, entrant, bank) if entrant.new_keys else child.rubric
        if rubric is not None:
            survivors.setdefault(rubric.fingerprint, replace(child, rubric=rubric))
    requests_after = plan_requests(context, _missing(context, bank, survivors.values()))
    saved = Calls(saved_by_racing=len(requests_before) - len(requests_after))
    return RaceResult(tuple(survivors.values()), bank, calls + saved)


def _missing(context: SearchContext, bank: GradeBank, children: Iterable[Child]) -> list[Need]:
    rubrics = (child.rubric for child in children)
    return missing_grades(bank, rubrics, context.prepared.visible.tolist(), context.votes)


def first_heat(needs: Sequence[Need], entrants: Iterable[Entrant], *, is_pooled: bool) -> list[Need]:
    """Return the needs that decide the race: the first vote of new criteria on the candidates of their pairs.

    Where siblings' criteria share requests, they race on the candidates of all siblings' pairs. Otherwise a candidate
    would be sent once for the criteria that race on it and once more for the others, and racing would cost more
    requests than it saves.

    Args:
        needs: all grades that the children lack.
        entrants: of all children.
        is_pooled: whether siblings' criteria share requests.

    >>> clear = Criterion(criterion_id="c", text="Clear.")
    >>> needs = [Need(clear, candidate, vote, "rubric") for candidate in range(3) for vote in range(2)]
    >>> entrant = Entrant(frozenset({clear.key}), [ChosenPair(better=0, worse=2, fault="tied")])
    >>> [(need.candidate, need.vote) for need in first_heat(needs, [entrant], is_pooled=False)]
    [(0, 0), (2, 0)]
    """
    positions: dict[str, set[int]] = {}
    for new_keys, pairs in entrants:
        for key in new_keys:
            in_pairs = (position for pair in pairs for position in (pair.better, pair.worse))
            positions.setdefault(key, set()).update(in_pairs)
    union = set().union(*positions.values())
    return [
        need
        for need in needs
        if need.vote == FIRST_VOTE and need.candidate in (union if is_pooled else positions.get(need.criterion.key, ()))
    ]


def is_wrong_way(criterion: Criterion, pairs: Sequence[ChosenPair], bank: GradeBank) -> bool:
    """Return whether the criterion's first vote favours the worse candidates of its pairs on balance.

    >>> from autosr_lib.evaluation.grade_bank import BankEntry
    >>> clear = Criterion(criterion_id="c", text="Clear.")
    >>> bank = GradeBank(2, 1).with_criteria([clear], ("A prompt.", ("first", "second")))
    >>> bank = bank.with_entries([BankEntry(clear.key, 0, 0, 0.2), BankEntry(clear.key, 1, 0, 0.8)])
    >>> is_wrong_way(clear, [ChosenPair(better=0, worse=1, fault="tied")], bank)
    True
    """
    column = bank.grades([criterion.key], [FIRST_VOTE])[0, :, 0]
    grades = np.where(column == NOT_APPLICABLE, np.nan, column)
    gaps = [grades[pair.better] - grades[pair.worse] for pair in pairs]
    return bool(np.nansum(gaps) < 0)


def without_losers(rubric: Rubric, entrant: Entrant, bank: GradeBank) -> Rubric | None:
    """Return the rubric without the new criteria that lost the race, or None if no new criterion is left.

    Args:
        rubric: the rubric of a child.
        entrant: its new criteria (at least one) and their pairs.
        bank: holds the grades of the first heat.
    """
    losers = {
        criterion.key
        for criterion in rubric.criteria
        if criterion.key in entrant.new_keys and is_wrong_way(criterion, entrant.pairs, bank)
    }
    if entrant.new_keys <= losers:
        return None
    if not losers:
        return rubric
    kept = [criterion for criterion in rubric.criteria if criterion.key not in losers]
    return with_weights(Rubric(criteria=tuple(kept)), [criterion.weight for criterion in kept])
