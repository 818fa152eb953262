"""Asking the verifier for what a bank lacks."""

import asyncio
from collections.abc import Iterable, Sequence

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank, Need, Parcel, pack
from autosr_lib.evaluation.roles import GradeRequest
from autosr_lib.search.state import Calls, SearchContext


def missing(bank: GradeBank, rubrics: Iterable[Rubric], places: Sequence[int], votes: Sequence[int]) -> list[Need]:
    """Return the grades that these rubrics need on these candidates and votes and that the bank lacks, each once."""
    wanted: dict[str, tuple[Criterion, Rubric]] = {}
    for rubric in rubrics:
        for criterion in rubric.criteria:
            wanted.setdefault(criterion.key, (criterion, rubric))
    return [
        Need(criterion, place, vote, rubric.fingerprint)
        for criterion, rubric in wanted.values()
        for place in places
        for vote in votes
        if criterion.measure is None and not bank.has(criterion.key, place, vote)
    ]


def parcels(context: SearchContext, needs: Iterable[Need]) -> list[Parcel]:
    """Return the requests that meet the needs."""
    grading = context.settings.grading
    return pack(needs, grading.grading, grading.criteria_per_call)


async def grade(context: SearchContext, bank: GradeBank, needs: Sequence[Need]) -> tuple[GradeBank, Calls]:
    """Return the bank with what the verifier answered; a reply that cannot be read leaves its criteria ungraded.

    Criteria are sent as the bank words them, so that a request does not depend on who needs it.
    """
    bank = bank.with_criteria((need.criterion for need in needs), context.prepared.texts)
    requests = parcels(context, (need._replace(criterion=bank.criteria[need.criterion.key]) for need in needs))
    answers = await asyncio.gather(*(_ask(context, parcel) for parcel in requests))
    given = [entry for answer in answers if answer is not None for entry in answer]
    asked = sum(len(parcel.criteria) for parcel in requests)
    calls = Calls(verifier=len(requests), failed=sum(answer is None for answer in answers), ungraded=asked - len(given))
    return bank.with_entries(given), calls


async def _ask(context: SearchContext, parcel: Parcel) -> list[BankEntry] | None:
    prompt_text, texts = context.prepared.texts
    request = GradeRequest(
        context.prepared.prompt.prompt_id, prompt_text, texts[parcel.candidate], parcel.criteria, parcel.vote
    )
    try:
        grades = await context.roles.verifier.grade(request)
    except ReplyError:
        return None
    return [
        BankEntry(criterion.key, parcel.candidate, parcel.vote, grades[criterion.key].value)
        for criterion in parcel.criteria
        if criterion.key in grades
    ]


def whole_cost(context: SearchContext, rubrics: Iterable[Rubric], places: int, votes: int) -> int:
    """Return the requests that grading each of these rubrics as a whole would cost, without a bank."""
    per_call = context.settings.grading.criteria_per_call
    asked = (sum(_is_asked(criterion) for criterion in rubric.criteria) for rubric in rubrics)
    return sum(-(-count // per_call) * places * votes for count in asked)


def _is_asked(criterion: Criterion) -> bool:
    return criterion.measure is None
