"""Prompts validate their candidates, read labels from metadata, and have a fingerprint of their complete content."""

import pytest
from pydantic import ValidationError

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.domain.prompt import Candidate, Prompt
from tests.fakes import prompt_with


def test_two_candidates_with_the_same_id_are_rejected_by_name() -> None:
    candidate = Candidate(candidate_id="c1", text="a")

    with pytest.raises(ValidationError, match=r"candidate ids \['c1'\] repeat"):
        Prompt(prompt_id="p", prompt="t", candidates=(candidate, candidate))


@pytest.mark.parametrize("value", [None, True])
def test_a_value_that_is_not_a_number_is_not_a_label(value: object) -> None:
    candidate = Candidate(candidate_id="c", text="t", metadata={"rank": value, "quality": value})

    assert candidate.rank is None
    assert candidate.quality is None


@pytest.mark.parametrize("quality", [float("nan"), float("inf")])
def test_a_quality_that_is_not_finite_is_not_a_label(quality: float) -> None:
    assert Candidate(candidate_id="c", text="t", metadata={"quality": quality}).quality is None


def test_labels_are_read_as_numbers() -> None:
    candidate = Candidate(candidate_id="c", text="t", metadata={"rank": 2, "quality": 3})

    assert (candidate.rank, candidate.quality) == (2, 3.0)


def test_prompts_with_the_same_content_have_the_same_fingerprint() -> None:
    assert prompt_with([1, 2]).fingerprint == prompt_with([1, 2]).fingerprint


def test_a_label_is_part_of_a_prompts_fingerprint() -> None:
    assert prompt_with([1, 2]).fingerprint != prompt_with([1, 3]).fingerprint


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})


def test_a_fingerprint_distinguishes_parts_from_their_concatenation() -> None:
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_a_fingerprint_of_nan_is_rejected() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        fingerprint(float("nan"))


@pytest.mark.parametrize("verdict", Verdict)
def test_swapping_a_verdict_twice_changes_nothing(verdict: Verdict) -> None:
    assert verdict.swapped.swapped is verdict


def test_a_preference_is_a_flip_if_the_two_orders_disagree() -> None:
    def judged(forward: Verdict | None, backward: Verdict | None) -> Preference:
        return Preference(first="a", second="b", verdict=Verdict.TIE, forward=forward, backward=backward)

    assert judged(Verdict.FIRST, Verdict.SECOND).is_flip
    assert judged(Verdict.FIRST, Verdict.TIE).is_flip
    assert not judged(Verdict.TIE, Verdict.TIE).is_flip
    assert not judged(None, None).is_flip
