"""Extreme numbers have defined results, none of which is NaN or infinite."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.settings import PairsSetting
from autosr_lib.search.settings import SearchSettings
from autosr_lib.settings import SearchRunSettings
from autosr_lib.settings_fields import leaves
from autosr_lib.settings_merge import merge_settings, nested_settings
from tests.evaluation.test_objective import PLAIN, evaluation_of, objective_settings, reference_of


def criterion(name: str, weight: float) -> dict[str, Any]:
    return {"criterion_id": name, "text": f"Says {name}.", "weight": weight}


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf, -1.0])
def test_a_criterion_refuses_a_weight_that_is_nan_infinite_or_negative(weight: float) -> None:
    with pytest.raises(ValidationError):
        Criterion.model_validate(criterion("a", weight))


def test_criteria_with_zero_weights_share_the_weight_equally() -> None:
    rubric = Rubric.model_validate({"criteria": [criterion("a", 0), criterion("b", 0)]})

    assert rubric.weights == (0.5, 0.5)


@pytest.mark.parametrize("weight", [0.0, 1e-300, 1.0, 1e308])
def test_a_single_criterion_has_all_the_weight(weight: float) -> None:
    assert Rubric.model_validate({"criteria": [criterion("a", weight)]}).weights == (1.0,)


def test_huge_and_tiny_weights_sum_to_one() -> None:
    rubric = Rubric.model_validate({"criteria": [criterion("a", 1e308), criterion("b", 1e308), criterion("c", 5e-324)]})

    assert rubric.weights == (0.5, 0.5, 0.0)


NUMBERS = [
    name
    for name, field in leaves(SearchRunSettings)
    if field.annotation in (int, float, int | None, float | None)
]  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, False])
def test_no_numeric_setting_accepts_nan_infinity_or_a_bool(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=name.rsplit(".", 1)[-1]):
        merge_settings(SearchRunSettings(), nested_settings({name: value}))


def test_a_boolean_setting_accepts_a_bool() -> None:
    assert len(NUMBERS) > 30
    assert SearchSettings.model_validate({"stop": {"stop_when_distinguished": True}}).stop.stop_when_distinguished


UNGRADED, TIED, ORDERED = [math.nan] * 4, [0.5] * 4, [0.9, 0.6, 0.4, 0.1]


@pytest.mark.parametrize("pairs", list(PairsSetting))
@pytest.mark.parametrize(
    ("qualities", "score"),
    [
        pytest.param([4, 3, 2, 1], UNGRADED, id="all ungraded"),
        pytest.param([4, 3, 2, 1], TIED, id="all tied by the rubric"),
        pytest.param([1, 1, 1, 1], ORDERED, id="all tied by the reference"),
        pytest.param([1, 1, 1, 1], UNGRADED, id="all tied and ungraded"),
    ],
)
def test_the_accuracy_is_one_half_if_nothing_distinguishes_the_candidates(
    qualities: list[float], score: list[float], pairs: PairsSetting
) -> None:
    evaluation = evaluation_of(score, reference_of(qualities), objective_settings(pairs))

    assert evaluation.tail_acc == evaluation.diverse_tail_acc == 0.5
    assert evaluation.tail_var == 0
    assert math.isfinite(evaluation.objective)


@pytest.mark.parametrize("pairs", list(PairsSetting))
@pytest.mark.parametrize("sources", ["aaaa", "abab"])
def test_with_a_single_source_all_pairs_count_as_diverse_and_the_accuracy_is_that_of_several(
    sources: str, pairs: PairsSetting
) -> None:
    evaluation = evaluation_of(ORDERED, reference_of([4, 3, 2, 1], sources), objective_settings(pairs, **PLAIN))

    assert evaluation.tail_acc == evaluation.diverse_tail_acc == evaluation.objective == 1


@pytest.mark.parametrize("pairs", list(PairsSetting))
@pytest.mark.parametrize("score", [UNGRADED, TIED, ORDERED, [math.nan, 0.9, 0.1, math.nan]])
@pytest.mark.parametrize("qualities", [[4, 3, 2, 1], [1, 1, 1, 1], [2, 1, 1, 1]])
def test_no_figure_of_an_evaluation_is_nan_or_infinite(
    qualities: list[float], score: list[float], pairs: PairsSetting
) -> None:
    evaluation = evaluation_of(score, reference_of(qualities), objective_settings(pairs))

    numbers = [value for value in evaluation if isinstance(value, float)]
    assert len(numbers) >= 5
    assert all(math.isfinite(number) for number in numbers), evaluation
