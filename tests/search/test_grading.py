"""Only missing grades are requested, each once, and an unreadable reply gives no grade."""

import asyncio
from dataclasses import replace

import pytest

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import GradeBank, Need
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.context import SearchContext
from autosr_lib.search.grading import grade, missing_grades, requests_without_bank
from autosr_lib.search.state import Calls
from tests.fakes import FakeVerifier, FlakyVerifier, criterion, fake_roles, rubric
from tests.worlds import context_of, planted_prompt, search_settings


def context_with(verifier: FakeVerifier, **grading: object) -> SearchContext:
    roles = replace(fake_roles(), verifier=verifier)
    return context_of(planted_prompt(4), roles, search_settings(grading=grading), holdout=0)


def empty_bank(*rubrics: Rubric, votes: int = 1) -> GradeBank:
    texts = planted_prompt(4)
    return GradeBank(4, votes).with_criteria(
        (c for each in rubrics for c in each.criteria), (texts.prompt, tuple(c.text for c in texts.candidates))
    )


def test_every_missing_grade_is_needed_once_even_when_rubrics_share_it() -> None:
    wanted, overlapping = rubric("a0", "a1"), rubric("a1", "a2")

    needs = missing_grades(empty_bank(wanted, overlapping), [wanted, overlapping], range(4), range(1))

    assert len(needs) == len({(need.criterion.key, need.candidate, need.vote) for need in needs}) == 3 * 4
    assert {need.rubric for need in needs if need.criterion.text == "a1"} == {wanted.fingerprint}


def test_grades_in_the_bank_are_not_needed() -> None:
    wanted = rubric("a0", "a1")
    context = context_with(FakeVerifier())
    bank, _ = asyncio.run(
        grade(context, empty_bank(wanted), missing_grades(empty_bank(wanted), [wanted], range(4), range(1)))
    )

    assert missing_grades(bank, [wanted], range(4), range(1)) == []
    assert [need.criterion.text for need in missing_grades(bank, [rubric("a1", "a2")], range(1), range(1))] == ["a2"]


def test_a_measured_criterion_is_never_requested() -> None:
    measured = Rubric(criteria=(Criterion(criterion_id="m", text="long", measure="min_words(3)"),))

    assert missing_grades(empty_bank(measured), [measured], range(4), range(1)) == []
    assert requests_without_bank(context_with(FakeVerifier()), [measured]) == 0


def test_grades_are_added_to_the_bank_and_their_calls_are_counted() -> None:
    wanted, verifier = rubric("a0", "a1"), FakeVerifier()

    bank, calls = asyncio.run(
        grade(
            context_with(verifier), empty_bank(wanted), missing_grades(empty_bank(wanted), [wanted], range(4), range(1))
        )
    )

    assert len(bank.entries()) == 8
    assert calls == Calls(verifier=4)
    assert len(verifier.requests) == 4
    assert {len(request.criteria) for request in verifier.requests} == {2}


def test_an_unreadable_reply_is_counted_and_its_grades_are_requested_again() -> None:
    wanted = rubric("a0", "a1")
    context = context_with(FlakyVerifier(unread=1))
    before = empty_bank(wanted)

    after, first = asyncio.run(grade(context, before, missing_grades(before, [wanted], range(4), range(1))))
    complete, second = asyncio.run(grade(context, after, missing_grades(after, [wanted], range(4), range(1))))

    assert first == Calls(verifier=4, failed=1, ungraded=2)
    assert len(after.entries()) == 6
    assert second == Calls(verifier=1)
    assert len(complete.entries()) == 8


def test_a_criterion_missing_from_a_reply_is_ungraded() -> None:
    class Forgetful(FakeVerifier):
        async def grade(self, request: GradeRequest) -> dict[str, Grade]:
            return {key: grade for key, grade in (await super().grade(request)).items() if key != criterion("a1").key}

    wanted = rubric("a0", "a1")
    bank, calls = asyncio.run(
        grade(
            context_with(Forgetful()),
            empty_bank(wanted),
            missing_grades(empty_bank(wanted), [wanted], range(4), range(1)),
        )
    )

    assert calls == Calls(verifier=4, ungraded=4)
    assert {entry.criterion_key for entry in bank.entries()} == {criterion("a0").key}


def test_not_applicable_is_stored_as_an_answer() -> None:
    class Shrugging(FakeVerifier):
        async def grade(self, request: GradeRequest) -> dict[str, Grade]:
            return {c.key: Grade(None) for c in request.criteria}

    wanted = rubric("a0")
    bank, calls = asyncio.run(
        grade(
            context_with(Shrugging()),
            empty_bank(wanted),
            missing_grades(empty_bank(wanted), [wanted], range(4), range(1)),
        )
    )

    assert calls.ungraded == 0
    assert [entry.value for entry in bank.entries()] == [None] * 4
    assert missing_grades(bank, [wanted], range(4), range(1)) == []


def test_a_request_contains_texts_and_criteria_and_no_labels() -> None:
    verifier, prompt = FakeVerifier(), planted_prompt(4)

    wanted = rubric("a0")
    asyncio.run(grade(context_with(verifier), empty_bank(wanted), [Need(wanted.criteria[0], 2, 0, "r")]))

    assert verifier.requests == [GradeRequest("p1", prompt.prompt, prompt.candidates[2].text, wanted.criteria, 0)]


@pytest.mark.parametrize("grading", ["pooled", "per_rubric", "per_criterion"])
def test_a_request_does_not_depend_on_ids_and_weights_in_the_rubric_that_needs_it(grading: str) -> None:
    bank = empty_bank(rubric("a0", "a1"))
    renamed = Rubric(
        criteria=(
            Criterion(criterion_id="x", text="A1", weight=5, criterion_type="style"),
            Criterion(criterion_id="y", text=" a0 ", weight=2),
        )
    )
    requests = []

    for needing in (rubric("a0", "a1"), renamed):
        verifier = FakeVerifier()
        asyncio.run(
            grade(context_with(verifier, grading=grading), bank, missing_grades(bank, [needing], range(4), range(1)))
        )
        requests.append(sorted(verifier.requests, key=str))

    assert requests[0] == requests[1]
