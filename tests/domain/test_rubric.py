"""A criterion is known by what it says, a rubric by its criteria and their shares."""

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
    one = Criterion(criterion_id="a", text="Names the year.", weight=1, criterion_type="quality")
    other = Criterion(criterion_id="b", text="Names the year.", weight=9, criterion_type="style")

    assert one.key == other.key


@pytest.mark.parametrize("text", ["names  the year.", " Names the\nYEAR. ", "Ｎames the year."])
def test_a_key_does_not_depend_on_case_blanks_or_width(text: str) -> None:
    assert criterion(text).key == criterion("Names the year.").key


@pytest.mark.parametrize(
    "said",
    [
        {"text": "Names the day."},
        {"check_points": ("1889",)},
        {"positive_examples": ("1889",)},
        {"negative_examples": ("1889",)},
        {"measure": "specificity"},
    ],
)
def test_a_key_depends_on_everything_that_the_grader_is_told(said: dict[str, object]) -> None:
    plain = Criterion(criterion_id="a", text="Names the year.")

    other = Criterion(**{**plain.model_dump(), **said})

    assert other.key != plain.key


def test_what_is_a_good_example_is_not_the_same_as_a_bad_one() -> None:
    good = Criterion(criterion_id="a", text="t", positive_examples=("e",))
    bad = Criterion(criterion_id="a", text="t", negative_examples=("e",))

    assert good.key != bad.key


@given(WEIGHTS)
def test_shares_are_never_negative_and_sum_to_one(weights: list[float]) -> None:
    shares = rubric_with(weights).weights

    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(1)


@given(WEIGHTS)
def test_shares_of_shares_are_the_same_to_the_bit(weights: list[float]) -> None:
    shares = rubric_with(weights).weights

    assert rubric_with(list(shares)).weights == shares


def test_weights_that_are_all_zero_mean_equal_shares() -> None:
    assert rubric_with([0, 0, 0, 0]).weights == (0.25,) * 4


def test_criteria_that_say_the_same_thing_are_added_up() -> None:
    twice = Rubric(
        criteria=(criterion("clear", 1), Criterion(criterion_id="x", text="CLEAR", weight=2), criterion("deep", 1))
    )

    assert twice.weight_by_key == {criterion("clear").key: 0.75, criterion("deep").key: 0.25}


@given(WEIGHTS, st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_order_ids_or_metadata(weights: list[float], dice: Random) -> None:
    plain = rubric_with(weights)
    named = [one.model_copy(update={"criterion_id": f"other {i}"}) for i, one in enumerate(plain.criteria)]
    dice.shuffle(named)

    changed = Rubric(criteria=tuple(named), rubric_id="another", metadata={"author": "nobody"})

    assert changed.fingerprint == plain.fingerprint


def test_a_fingerprint_does_not_depend_on_the_scale_of_the_weights() -> None:
    assert rubric_with([1, 2, 3]).fingerprint == rubric_with([10, 20, 30]).fingerprint


def test_a_fingerprint_looks_at_shares_to_the_fourth_decimal() -> None:
    half = rubric_with([0.5, 0.5])

    assert rubric_with([0.50001, 0.49999]).fingerprint == half.fingerprint
    assert rubric_with([0.5002, 0.4998]).fingerprint != half.fingerprint


def test_rubrics_of_other_criteria_have_other_fingerprints() -> None:
    assert rubric("clear", "deep").fingerprint != rubric("clear", "true").fingerprint


def test_repeated_ids_are_refused_by_name() -> None:
    with pytest.raises(ValidationError, match=r"criterion ids \['same'\] repeat; give each"):
        Rubric(criteria=(Criterion(criterion_id="same", text="a"), Criterion(criterion_id="same", text="b")))


def test_a_rubric_without_criteria_is_refused() -> None:
    with pytest.raises(ValidationError, match="criteria"):
        Rubric(criteria=())


@pytest.mark.parametrize("weight", [-1e-9, float("nan"), float("inf")])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(ValidationError, match="weight"):
        criterion("clear", weight)


def test_a_rubric_cannot_be_edited() -> None:
    one = rubric("clear")

    with pytest.raises(ValidationError, match="frozen"):
        one.criteria = ()  # type: ignore[misc]
