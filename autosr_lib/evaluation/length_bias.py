"""Detection of rubrics whose scores mostly follow the length of the candidate."""

import math
from collections.abc import Sequence

import numpy as np

from autosr_lib.evaluation.arrays import FloatArray

MIN_SCORES = 6
"""Minimum number of scored candidates; fewer are in order of length by chance too often."""
MIN_CORRELATION = 0.8
"""Rank correlation of score and length from which a rubric is suspected."""
MIN_EXCESS = 0.2
"""Minimum excess over the correlation of reference and length; where better candidates are longer, scores may say so."""


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, -1..1, with mean ranks for ties; None if either sequence is constant.

    >>> round(rank_correlation([1, 2, 3], [10, 30, 20]), 6)
    0.5
    """
    if len(first) < 2:
        return None
    first_ranks, second_ranks = (_centred_ranks(np.asarray(values, dtype=float)) for values in (first, second))
    scale = math.sqrt(float(first_ranks @ first_ranks) * float(second_ranks @ second_ranks))
    return float(first_ranks @ second_ranks) / scale if scale else None


def rewards_length_alone(scores: Sequence[float], lengths: Sequence[int], truths: Sequence[float]) -> bool:
    """Return whether scores correlate with length, and clearly more than the reference does.

    Args:
        scores: (N,) scores of the scored candidates.
        lengths: (N,) lengths of their texts in characters.
        truths: (N,) their quantiles in the reference.

    >>> lengths = [10, 20, 30, 40, 50, 60]
    >>> rewards_length_alone([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], lengths, [0.6, 0.2, 1.0, 0.0, 0.8, 0.4])
    True
    """
    if len(scores) < MIN_SCORES:
        return False
    by_score, by_truth = rank_correlation(scores, lengths), rank_correlation(truths, lengths)
    return by_score is not None and by_score >= MIN_CORRELATION and by_score - (by_truth or 0.0) >= MIN_EXCESS


def _centred_ranks(values: FloatArray) -> FloatArray:
    """Return (N,) each value's rank, the mean rank for ties, minus the mean of all ranks."""
    lower = (values[:, None] > values[None, :]).sum(axis=1)
    equal = (values[:, None] == values[None, :]).sum(axis=1)
    return np.asarray(lower + (equal - 1) / 2 - (len(values) - 1) / 2, dtype=float)
