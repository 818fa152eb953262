"""A prompt's own budget. It counts requests, cached or not, so that it has the same effect in every run."""

from collections.abc import Sequence

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import GradeBank, Need
from autosr_lib.search.context import SearchContext
from autosr_lib.search.grading import missing_grades, plan_requests
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.state import Calls

REQUESTS_PER_CANDIDATE = 2
"""Requests reserved for each candidate and vote of the conclusion: the finalists' criteria may take two."""


def conclusion_reserve(context: SearchContext) -> int:
    """Return the number of requests reserved for the votes of the conclusion."""
    grading, prepared = context.settings.grading, context.prepared
    return REQUESTS_PER_CANDIDATE * (
        grading.finalist_votes * len(prepared.visible) + grading.holdout_votes * len(prepared.hidden)
    )


def remaining_calls(context: SearchContext, calls: Calls) -> float:
    """Return how many more requests the search of this prompt may make before its conclusion; infinite if unlimited."""
    budget = context.settings.stop.max_calls_per_prompt
    return float("inf") if budget is None else max(0, budget - conclusion_reserve(context) - calls.total)


def is_affordable(context: SearchContext, calls: Calls, requests: int) -> bool:
    """Return whether `requests` more fit into the complete budget of the prompt, including the reserve."""
    budget = context.settings.stop.max_calls_per_prompt
    return budget is None or calls.total + requests <= budget


def affordable_modes(context: SearchContext, calls: Calls, modes: Sequence[MutationMode]) -> list[MutationMode]:
    """Return the first of `modes`, as many as can be proposed while the grading of one child remains affordable."""
    grading = len(context.prepared.visible) * len(context.votes)
    remaining = remaining_calls(context, calls) - grading
    return list(modes[: int(max(0, min(remaining, len(modes))))])


def affordable_needs(context: SearchContext, calls: Calls, bank: GradeBank, rubrics: Sequence[Rubric]) -> list[Need]:
    """Return the grades missing from the first of `rubrics`, as many rubrics as can be graded completely."""
    count = affordable_rubrics(context, calls, bank, rubrics)
    return missing_grades(bank, rubrics[:count], context.prepared.visible.tolist(), context.votes)


def affordable_rubrics(context: SearchContext, calls: Calls, bank: GradeBank, rubrics: Sequence[Rubric]) -> int:
    """Return how many of the first `rubrics` can be graded completely with the remaining requests."""
    positions, votes = context.prepared.visible.tolist(), context.votes
    remaining = remaining_calls(context, calls)
    count = len(rubrics)
    while count and len(plan_requests(context, missing_grades(bank, rubrics[:count], positions, votes))) > remaining:
        count -= 1
    return count
