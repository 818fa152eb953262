"""Rank correlation with the length of the texts, and when it is suspicious."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ConstantInputWarning, spearmanr

from autosr_lib.evaluation.length_bias import MIN_SCORES, rank_correlation, rewards_length_alone

UP, DOWN = [1, 2, 3, 4, 5, 6], [6.0, 5, 4, 3, 2, 1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20))
def test_it_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        expected = float(spearmanr(first, second).statistic)

    found = rank_correlation(first, second)

    if np.isnan(expected):
        assert found is None
    else:
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "truths", "is_suspicious"),
    [
        ([float(one) for one in UP], DOWN, True),
        ([float(one) for one in UP], [0.5] * 6, True),  # a truth that knows no order explains no length
        ([float(one) for one in UP], [float(one) for one in UP], False),  # longer ones are better, and score so
        (DOWN, [float(one) for one in UP], False),
        ([0.5] * 6, DOWN, False),
    ],
)
def test_scores_that_follow_length_are_suspicious_where_the_truth_does_not(
    scores: list[float], truths: list[float], is_suspicious: bool
) -> None:
    assert rewards_length_alone(scores, UP, truths) is is_suspicious


def test_few_candidates_line_up_by_chance() -> None:
    few = MIN_SCORES - 1

    assert not rewards_length_alone([float(one) for one in UP[:few]], UP[:few], DOWN[:few])
