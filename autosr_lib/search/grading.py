"""Requests to the verifier for grades that a bank lacks."""

import asyncio
from collections.abc import Iterable, Sequence

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank, GradeBatch, Need, batch_needs
from autosr_lib.evaluation.roles import GradeRequest
from autosr_lib.search.context import SearchContext
from autosr_lib.search.state import Calls


def missing_grades(
    bank: GradeBank, rubrics: Iterable[Rubric], positions: Sequence[int], votes: Sequence[int]
) -> list[Need]:
    """Return the grades that these rubrics need and the bank lacks, each once.

    >>> rubric = Rubric(criteria=(Criterion(criterion_id="a", text="Clear."), Criterion(criterion_id="b", text="Short.")))
    >>> len(missing_grades(GradeBank(3, 1), [rubric], positions=[0, 2], votes=[0]))
    4

    Args:
        bank: the grades that exist.
        rubrics: whose criteria are needed; of a shared criterion, the first rubric counts as the one that needs it.
        positions: positions of the candidates that are graded.
        votes: numbers of the votes.
    """
    wanted: dict[str, tuple[Criterion, Rubric]] = {}
    for rubric in rubrics:
        for criterion in rubric.criteria:
            wanted.setdefault(criterion.key, (criterion, rubric))
    return [
        Need(criterion, position, vote, rubric.fingerprint)
        for criterion, rubric in wanted.values()
        for position in positions
        for vote in votes
        if criterion.measure is None and not bank.has(criterion.key, position, vote)
    ]


def plan_requests(context: SearchContext, needs: Iterable[Need]) -> list[GradeBatch]:
    """Return the requests that obtain these grades."""
    grading = context.settings.grading
    return batch_needs(needs, grading.grading, grading.criteria_per_call)


async def grade(context: SearchContext, bank: GradeBank, needs: Sequence[Need]) -> tuple[GradeBank, Calls]:
    """Return the bank with the grades that the verifier gave; an unreadable reply leaves its criteria ungraded.

    Criteria are sent as the bank words them, so that a request does not depend on which rubric needs it.
    """
    bank = bank.with_criteria((need.criterion for need in needs), context.prepared.texts)
    requests = plan_requests(context, (need._replace(criterion=bank.criteria[need.criterion.key]) for need in needs))
    replies = await asyncio.gather(*(_ask(context, request) for request in requests))
    entries = [entry for reply in replies if reply is not None for entry in reply]
    requested = sum(len(request.criteria) for request in requests)
    calls = Calls(
        verifier=len(requests), failed=sum(reply is None for reply in replies), ungraded=requested - len(entries)
    )
    return bank.with_entries(entries), calls


async def _ask(context: SearchContext, batch: GradeBatch) -> list[BankEntry] | None:
    """Return the grades in the verifier's reply, or None if it could not be read."""
    prompt_text, texts = context.prepared.texts
    request = GradeRequest(
        context.prepared.prompt.prompt_id, prompt_text, texts[batch.candidate], batch.criteria, batch.vote
    )
    try:
        grades = await context.roles.verifier.grade(request)
    except ReplyError:
        return None
    return [
        BankEntry(criterion.key, batch.candidate, batch.vote, grades[criterion.key].value)
        for criterion in batch.criteria
        if criterion.key in grades
    ]


def requests_without_bank(context: SearchContext, rubrics: Iterable[Rubric]) -> int:
    """Return the requests that complete grading of each rubric on the visible candidates would take without a bank."""
    per_call = context.settings.grading.criteria_per_call
    graded = (sum(criterion.measure is None for criterion in rubric.criteria) for rubric in rubrics)
    return sum(-(-count // per_call) * len(context.prepared.visible) * len(context.votes) for count in graded)
