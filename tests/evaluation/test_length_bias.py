"""Rank correlation with the length of the texts, and when it makes a rubric suspicious."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ConstantInputWarning, spearmanr

from autosr_lib.evaluation.length_bias import MIN_SCORES, rank_correlation, rewards_length_alone

LENGTHS = [1, 2, 3, 4, 5, 6]
RISING, FALLING = [1.0, 2, 3, 4, 5, 6], [6.0, 5, 4, 3, 2, 1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20))
def test_the_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        expected = float(spearmanr(first, second).statistic)

    correlation = rank_correlation(first, second)

    if np.isnan(expected):
        assert correlation is None
    else:
        assert correlation == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "truths", "is_suspicious"),
    [
        (RISING, FALLING, True),
        (RISING, [0.5] * 6, True),  # a reference without any order does not justify scores by length
        (RISING, RISING, False),  # longer candidates are better, so they should score higher
        (FALLING, RISING, False),
        ([0.5] * 6, FALLING, False),
    ],
)
def test_scores_that_follow_length_are_suspicious_unless_the_reference_does_too(
    scores: list[float], truths: list[float], is_suspicious: bool
) -> None:
    assert rewards_length_alone(scores, LENGTHS, truths) is is_suspicious


def test_few_candidates_are_never_suspicious() -> None:
    few = MIN_SCORES - 1

    assert not rewards_length_alone(RISING[:few], LENGTHS[:few], FALLING[:few])
