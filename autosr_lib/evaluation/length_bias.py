"""Whether scores are little more than the length of the text."""

import math
from collections.abc import Sequence

import numpy as np

from autosr_lib.evaluation.arrays import FloatArray

FEWEST_SCORES = 6
"""Fewer candidates than this line up by length too often by chance."""
SUSPICIOUS = 0.8
"""Rank correlation with length from which on a rubric is suspected."""
BEYOND_REFERENCE = 0.2
"""By how much it must exceed the reference's own: where better responses are longer, a good rubric says so."""


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, -1..1, ties sharing their mean rank; None where either is constant."""
    if len(first) < 2:
        return None
    left, right = (_centred_ranks(np.asarray(values, dtype=float)) for values in (first, second))
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return float(left @ right) / scale if scale else None


def rewards_length_alone(scores: Sequence[float], lengths: Sequence[int], truths: Sequence[float]) -> bool:
    """Return whether candidates' scores follow their length, and far more closely than the truth about them does.

    Args:
        scores: of N candidates, unscored ones left out.
        lengths: of their texts, in characters.
        truths: their quantiles in the reference.
    """
    if len(scores) < FEWEST_SCORES:
        return False
    by_score, by_truth = rank_correlation(scores, lengths), rank_correlation(truths, lengths)
    return by_score is not None and by_score >= SUSPICIOUS and by_score - (by_truth or 0.0) >= BEYOND_REFERENCE


def _centred_ranks(values: FloatArray) -> FloatArray:
    """Return (N,) each value's rank, ties sharing their mean, less the mean rank."""
    below = (values[:, None] > values[None, :]).sum(axis=1)
    level = (values[:, None] == values[None, :]).sum(axis=1)
    return np.asarray(below + (level - 1) / 2 - (len(values) - 1) / 2, dtype=float)
