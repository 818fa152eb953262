"""Scores of candidates from their grades (docs/method.md §2), for many rubrics at once."""

from typing import NamedTuple

import numpy as np

from autosr_lib.evaluation.arrays import BoolArray, FloatArray
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE
from autosr_lib.evaluation.settings import Aggregate

UNSCORED_SHARE = 0.5
"""A candidate is unscored if more than this share of the rubric's weight is ungraded on it."""


class Scores(NamedTuple):
    """Scores of candidates under rubrics; every array is (rubrics, candidates)."""

    score: FloatArray
    """0..1, NaN where unscored."""
    variance: FloatArray
    """Population variance of the scores by vote; 0 with one vote."""
    is_complete: BoolArray
    """Whether the candidate has every grade that the rubric needs; "not applicable" counts as a grade."""


def aggregate_votes(grades: FloatArray, aggregate: Aggregate) -> FloatArray:
    """Return (criteria, candidates) the aggregate of the votes, NaN where no vote has a grade.

    Args:
        grades: (criteria, candidates, votes) of 0..1, NaN where ungraded or not applicable.
        aggregate: `mean`, `median`, or `majority` (the most frequent grade; of several, the lowest).

    >>> aggregate_votes(np.array([[[0.2, 0.4, np.nan]]]), Aggregate.MEAN).round(2).tolist()
    [[0.3]]
    """
    if grades.shape[2] == 1:
        return grades[:, :, 0]
    if aggregate is Aggregate.MEAN:
        is_graded = ~np.isnan(grades)
        count = is_graded.sum(axis=2)
        total = np.where(is_graded, grades, 0.0).sum(axis=2)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return np.apply_along_axis(_median if aggregate is Aggregate.MEDIAN else _most_frequent, 2, grades)


def _median(votes: FloatArray) -> float:
    graded = votes[~np.isnan(votes)]
    return float(np.median(graded)) if len(graded) else float("nan")


def _most_frequent(votes: FloatArray) -> float:
    values, counts = np.unique(votes[~np.isnan(votes)], return_counts=True)
    return float(values[np.argmax(counts)]) if len(values) else float("nan")


def score_candidates(weights: FloatArray, grades: FloatArray, aggregate: Aggregate) -> Scores:
    """Return the scores `sum(w*g) / sum(w)`, summed over the graded criteria, of every candidate under every rubric.

    Args:
        weights: (rubrics, criteria), each row summing to 1; 0 where the rubric lacks the criterion.
        grades: (criteria, candidates, votes) as in `GradeBank`: 0..1, `NOT_APPLICABLE`, or NaN if ungraded.
        aggregate: how votes become one grade.

    >>> grades = np.array([[[1.0], [0.5]], [[0.0], [NOT_APPLICABLE]]])
    >>> score_candidates(np.array([[0.75, 0.25]]), grades, Aggregate.MEAN).score.tolist()
    [[0.75, 0.5]]
    """
    applicable = np.where(grades == NOT_APPLICABLE, np.nan, grades)
    votes = grades.shape[2]
    score = _weighted_mean(weights, aggregate_votes(applicable, aggregate))
    variance = np.zeros_like(score)
    if votes > 1:
        by_vote = np.stack([_weighted_mean(weights, applicable[:, :, vote]) for vote in range(votes)])
        is_scored = ~np.isnan(by_vote)
        count = np.maximum(is_scored.sum(axis=0), 1)
        mean = np.where(is_scored, by_vote, 0.0).sum(axis=0) / count
        variance = (np.where(is_scored, by_vote - mean, 0.0) ** 2).sum(axis=0) / count
    is_missing = np.isnan(grades).any(axis=2)
    is_complete = (weights > 0).astype(float) @ is_missing.astype(float) == 0
    return Scores(score, variance, is_complete)


def _weighted_mean(weights: FloatArray, grades: FloatArray) -> FloatArray:
    """Return (rubrics, candidates) the weighted mean of the available grades, NaN if more than UNSCORED_SHARE is missing."""
    is_graded = ~np.isnan(grades)
    graded_weight = weights @ is_graded.astype(float)
    total = weights @ np.where(is_graded, grades, 0.0)
    is_scored = graded_weight >= (1 - UNSCORED_SHARE) - 1e-12  # a sum of weights may fall short by rounding
    return np.where(is_scored, total / np.where(is_scored, graded_weight, 1.0), np.nan)
