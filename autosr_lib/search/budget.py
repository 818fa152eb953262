"""A prompt's own budget: it counts requests, cached or not, so that it is the same in every run (docs/method.md §7)."""

from collections.abc import Sequence

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import GradeBank, Need
from autosr_lib.search.grading import missing, parcels
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.state import Calls, SearchContext

REQUESTS_PER_CANDIDATE = 2
"""Requests for one candidate and vote that are kept back for the finalists: their criteria may need two."""


def conclusion_reserve(context: SearchContext) -> int:
    """Return the requests that are kept back for the fresh votes at the end."""
    grading, prepared = context.settings.grading, context.prepared
    return REQUESTS_PER_CANDIDATE * (
        grading.finalist_votes * len(prepared.visible) + grading.holdout_votes * len(prepared.hidden)
    )


def remaining_calls(context: SearchContext, calls: Calls) -> float:
    """Return how many more requests the search of this prompt may make; infinite without a budget."""
    budget = context.settings.stop.max_calls_per_prompt
    return float("inf") if budget is None else max(0, budget - conclusion_reserve(context) - calls.total)


def proposals_within(context: SearchContext, calls: Calls, modes: Sequence[MutationMode]) -> list[MutationMode]:
    """Return the first of `modes` that can be proposed so that grading one child is still paid for."""
    grading = len(context.prepared.visible) * len(context.votes)
    left = remaining_calls(context, calls) - grading
    return list(modes[: int(max(0, min(left, len(modes))))])


def needs_within(context: SearchContext, calls: Calls, bank: GradeBank, rubrics: Sequence[Rubric]) -> list[Need]:
    """Return what the first of `rubrics` lack, as many of them as what remains can grade."""
    count = children_within(context, calls, bank, rubrics)
    return missing(bank, rubrics[:count], context.prepared.visible.tolist(), context.votes)


def children_within(context: SearchContext, calls: Calls, bank: GradeBank, rubrics: Sequence[Rubric]) -> int:
    """Return how many of the first `rubrics` can be graded with what remains."""
    places, votes = context.prepared.visible.tolist(), context.votes
    left = remaining_calls(context, calls)
    count = len(rubrics)
    while count and len(parcels(context, missing(bank, rubrics[:count], places, votes))) > left:
        count -= 1
    return count
