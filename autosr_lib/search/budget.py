"""A prompt's own budget: it counts requests, cached or not, so that it is the same in every run (METHOD §7)."""

from collections.abc import Sequence

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import GradeBank, Need
from autosr_lib.search.grading import missing, parcels
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.state import Calls, Task

REQUESTS_PER_CANDIDATE = 2
"""Requests for one candidate and vote that are kept back for the finalists: their criteria may need two."""


def conclusion_reserve(task: Task) -> int:
    """Return the requests that are kept back for the fresh votes at the end."""
    grading, case = task.settings.grading, task.case
    return REQUESTS_PER_CANDIDATE * (
        grading.finalist_votes * len(case.visible) + grading.holdout_votes * len(case.hidden)
    )


def remaining_calls(task: Task, calls: Calls) -> float:
    """Return how many more requests the search of this prompt may make; infinite without a budget."""
    budget = task.settings.stop.max_calls_per_prompt
    return float("inf") if budget is None else max(0, budget - conclusion_reserve(task) - calls.total)


def proposals_within(task: Task, calls: Calls, modes: Sequence[MutationMode]) -> list[MutationMode]:
    """Return the first of `modes` that can be proposed so that grading one child is still paid for."""
    grading = len(task.case.visible) * len(task.votes)
    left = remaining_calls(task, calls) - grading
    return list(modes[: int(max(0, min(left, len(modes))))])


def needs_within(task: Task, calls: Calls, bank: GradeBank, rubrics: Sequence[Rubric]) -> list[Need]:
    """Return what the first of `rubrics` lack, as many of them as what remains can grade."""
    count = children_within(task, calls, bank, rubrics)
    return missing(bank, rubrics[:count], task.case.visible.tolist(), task.votes)


def children_within(task: Task, calls: Calls, bank: GradeBank, rubrics: Sequence[Rubric]) -> int:
    """Return how many of the first `rubrics` can be graded with what remains."""
    places, votes = task.case.visible.tolist(), task.votes
    left = remaining_calls(task, calls)
    count = len(rubrics)
    while count and len(parcels(task, missing(bank, rubrics[:count], places, votes))) > left:
        count -= 1
    return count
