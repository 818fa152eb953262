"""The bank stores grades by criterion key, and batches depend only on which grades are needed."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, BankEntry, GradeBank, Need, batch_needs
from autosr_lib.evaluation.settings import Grading
from tests.fakes import criterion

CLEAR, DEEP = criterion("clear"), criterion("deep")
MEASURED = Criterion(criterion_id="m", text="is long enough", measure="min_words(4)")
TEXTS = ("the prompt", ("one two three four five", "one two", "one two three four"))

NEEDS = st.lists(
    st.builds(
        Need,
        st.sampled_from([criterion(f"c{i}") for i in range(7)]),
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from(["rubric a", "rubric b"]),
    ),
    max_size=40,
    unique_by=lambda need: (need.criterion.key, need.candidate, need.vote),
)


def bank_of(*entries: BankEntry, votes: int = 2) -> GradeBank:
    return GradeBank(3, votes).with_criteria([CLEAR, DEEP, MEASURED], TEXTS).with_entries(entries)


def test_a_grade_is_found_by_its_criterion_key() -> None:
    bank = bank_of(BankEntry(CLEAR.key, 1, 0, 0.4))

    assert bank.has(criterion("  CLEAR ").key, 1, 0)
    assert not bank.has(CLEAR.key, 1, 1)
    assert not bank.has(criterion("not in the bank").key, 1, 0)


def test_adding_grades_does_not_change_the_original_bank() -> None:
    before = bank_of()

    after = before.with_entries([BankEntry(CLEAR.key, 0, 0, 1.0)])

    assert after.has(CLEAR.key, 0, 0)
    assert not before.has(CLEAR.key, 0, 0)


def test_not_applicable_counts_as_a_grade_and_is_none_in_entries() -> None:
    bank = bank_of(BankEntry(DEEP.key, 2, 1, None))

    assert bank.has(DEEP.key, 2, 1)
    assert bank.entries() == [BankEntry(DEEP.key, 2, 1, None)]
    assert bank.grades([DEEP.key], [1])[0, 2, 0] == NOT_APPLICABLE


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.none() | st.floats(0, 1)), max_size=8))
def test_a_bank_made_from_the_entries_of_another_is_equal(grades: list[tuple[int, int, float | None]]) -> None:
    bank = bank_of(*(BankEntry(CLEAR.key, *grade) for grade in grades))

    copy = bank_of(*bank.entries())

    np.testing.assert_array_equal(copy.arrays[CLEAR.key], bank.arrays[CLEAR.key])


def test_a_measured_criterion_is_graded_immediately_for_all_votes_and_has_no_entries() -> None:
    bank = bank_of()

    np.testing.assert_array_equal(bank.arrays[MEASURED.key][[0, 2]], 1.0)
    assert (bank.arrays[MEASURED.key][1] < 1).all()
    assert bank.entries() == []


def test_a_criterion_in_the_bank_keeps_its_first_wording() -> None:
    bank = bank_of().with_criteria([Criterion(criterion_id="later", text="CLEAR", weight=9)], TEXTS)

    assert bank.criteria[CLEAR.key] == CLEAR


def test_grades_have_the_order_of_the_given_keys_and_are_nan_where_ungraded() -> None:
    bank = bank_of(BankEntry(CLEAR.key, 1, 1, 0.4))

    grades = bank.grades([DEEP.key, CLEAR.key], [1])

    assert grades.shape == (2, 3, 1)
    assert grades[1, 1, 0] == 0.4
    assert np.isnan(grades).sum() == 5


def test_grades_of_no_criteria_are_empty() -> None:
    assert bank_of().grades([], [0, 1]).shape == (0, 3, 2)


def test_room_for_more_votes_keeps_entries_and_fills_in_measured_criteria() -> None:
    small = bank_of(BankEntry(CLEAR.key, 1, 1, 0.4))

    large = small.with_room_for(5)

    assert large.votes == 5
    assert large.entries() == small.entries()
    assert not np.isnan(large.arrays[MEASURED.key]).any()
    assert large.with_room_for(3) is large


@given(NEEDS, st.sampled_from(Grading), st.integers(1, 4))
def test_batches_cover_any_needs_exactly_once_and_are_not_too_large(
    needs: list[Need], grading: Grading, per_call: int
) -> None:
    batches = batch_needs(needs, grading, per_call)

    covered = [(c.key, batch.candidate, batch.vote) for batch in batches for c in batch.criteria]
    assert sorted(covered) == sorted((need.criterion.key, need.candidate, need.vote) for need in needs)
    assert all(1 <= len(batch.criteria) <= per_call for batch in batches)


@given(NEEDS, st.sampled_from(Grading), st.randoms(use_true_random=False))
def test_batches_do_not_depend_on_the_order_of_the_needs(needs: list[Need], grading: Grading, random: Random) -> None:
    shuffled = list(needs)
    random.shuffle(shuffled)

    assert batch_needs(shuffled, grading, 3) == batch_needs(needs, grading, 3)


def needs_of_two_rubrics() -> list[Need]:
    return [Need(CLEAR, 0, 0, "a"), Need(DEEP, 0, 0, "b"), Need(criterion("true"), 0, 0, "b")]


@pytest.mark.parametrize(("grading", "sizes"), [("pooled", [3]), ("per_rubric", [1, 2]), ("per_criterion", [1, 1, 1])])
def test_the_setting_decides_which_criteria_share_a_batch(grading: str, sizes: list[int]) -> None:
    batches = batch_needs(needs_of_two_rubrics(), Grading(grading), 10)

    assert [len(batch.criteria) for batch in batches] == sizes


def test_different_votes_and_candidates_never_share_a_batch() -> None:
    needs = [Need(CLEAR, position, vote, "a") for position in range(2) for vote in range(2)]

    assert len(batch_needs(needs, Grading.POOLED, 10)) == 4
