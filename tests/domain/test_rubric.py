"""Keys of criteria depend on their texts, fingerprints of rubrics on their keys and normalised weights."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from autosr_lib.domain.rubric import Criterion, Rubric
from tests.fakes import criterion, rubric

WEIGHTS = st.lists(st.floats(0, 1e308), min_size=1, max_size=12)


def rubric_with(weights: list[float]) -> Rubric:
    return Rubric(criteria=tuple(criterion(f"c{i}", weight) for i, weight in enumerate(weights)))


def test_a_key_does_not_depend_on_weight_id_or_type() -> None:
    first = Criterion(criterion_id="a", text="Names the year.", weight=1, criterion_type="quality")
    second = Criterion(criterion_id="b", text="Names the year.", weight=9, criterion_type="style")

    assert first.key == second.key


@pytest.mark.parametrize("text", ["names  the year.", " Names the\nYEAR. ", "Ｎames the year."])
def test_a_key_does_not_depend_on_case_spacing_or_character_width(text: str) -> None:
    assert criterion(text).key == criterion("Names the year.").key


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "Names the day."},
        {"check_points": ("1889",)},
        {"positive_examples": ("1889",)},
        {"negative_examples": ("1889",)},
        {"measure": "specificity"},
    ],
)
def test_a_key_depends_on_everything_that_the_verifier_sees(changes: dict[str, object]) -> None:
    original = Criterion(criterion_id="a", text="Names the year.")

    changed = Criterion(**{**original.model_dump(), **changes})

    assert changed.key != original.key


def test_a_key_distinguishes_positive_from_negative_examples() -> None:
    good = Criterion(criterion_id="a", text="t", positive_examples=("e",))
    bad = Criterion(criterion_id="a", text="t", negative_examples=("e",))

    assert good.key != bad.key


@given(WEIGHTS)
def test_normalised_weights_are_not_negative_and_sum_to_one(weights: list[float]) -> None:
    normalised = rubric_with(weights).weights

    assert min(normalised) >= 0
    assert sum(normalised) == pytest.approx(1)


@given(WEIGHTS)
def test_normalising_twice_changes_no_bit(weights: list[float]) -> None:
    normalised = rubric_with(weights).weights

    assert rubric_with(list(normalised)).weights == normalised


def test_weights_that_are_all_zero_become_equal() -> None:
    assert rubric_with([0, 0, 0, 0]).weights == (0.25,) * 4


def test_weights_of_criteria_with_the_same_key_are_summed() -> None:
    repeating = Rubric(
        criteria=(criterion("clear", 1), Criterion(criterion_id="x", text="CLEAR", weight=2), criterion("deep", 1))
    )

    assert repeating.weight_by_key == {criterion("clear").key: 0.75, criterion("deep").key: 0.25}


@given(WEIGHTS, st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_order_ids_or_metadata(weights: list[float], random: Random) -> None:
    original = rubric_with(weights)
    renamed = [c.model_copy(update={"criterion_id": f"other {i}"}) for i, c in enumerate(original.criteria)]
    random.shuffle(renamed)

    changed = Rubric(criteria=tuple(renamed), rubric_id="another", metadata={"author": "nobody"})

    assert changed.fingerprint == original.fingerprint


def test_a_fingerprint_does_not_depend_on_the_scale_of_the_weights() -> None:
    assert rubric_with([1, 2, 3]).fingerprint == rubric_with([10, 20, 30]).fingerprint


def test_a_fingerprint_depends_on_normalised_weights_to_the_fourth_decimal() -> None:
    half = rubric_with([0.5, 0.5])

    assert rubric_with([0.50001, 0.49999]).fingerprint == half.fingerprint
    assert rubric_with([0.5002, 0.4998]).fingerprint != half.fingerprint


def test_rubrics_with_different_criteria_have_different_fingerprints() -> None:
    assert rubric("clear", "deep").fingerprint != rubric("clear", "true").fingerprint


def test_repeated_ids_are_rejected_by_name() -> None:
    with pytest.raises(ValidationError, match=r"criterion ids \['same'\] repeat; give each"):
        Rubric(criteria=(Criterion(criterion_id="same", text="a"), Criterion(criterion_id="same", text="b")))


def test_a_rubric_without_criteria_is_rejected() -> None:
    with pytest.raises(ValidationError, match="criteria"):
        Rubric(criteria=())


@pytest.mark.parametrize("weight", [-1e-9, float("nan"), float("inf")])
def test_a_weight_that_is_negative_or_not_finite_is_rejected(weight: float) -> None:
    with pytest.raises(ValidationError, match="weight"):
        criterion("clear", weight)


def test_a_rubric_cannot_be_edited() -> None:
    immutable = rubric("clear")

    with pytest.raises(ValidationError, match="frozen"):
        immutable.criteria = ()  # type: ignore[misc]
