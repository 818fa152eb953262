"""From grades to scores (docs/method.md §2), for many rubrics at once."""

from typing import NamedTuple

import numpy as np

from autosr_lib.evaluation.arrays import BoolArray, FloatArray
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE
from autosr_lib.evaluation.settings import Aggregate

UNSCORED_SHARE = 0.5
"""A candidate is unscored when more than this share of a rubric's weight is not graded on it."""


class Scores(NamedTuple):
    """Scores of candidates under rubrics; every array is (rubrics, candidates)."""

    score: FloatArray
    """0..1, NaN where unscored."""
    variance: FloatArray
    """Population variance of the per-vote scores; 0 with one vote."""
    is_complete: BoolArray
    """Whether no grade of the rubric is missing on the candidate ("not applicable" is not missing)."""


def aggregate_votes(grades: FloatArray, aggregate: Aggregate) -> FloatArray:
    """Return one grade for each criterion and candidate, NaN where no vote graded it.

    Args:
        grades: (criteria, candidates, votes), NaN where ungraded or not applicable.
        aggregate: `mean`, `median`, or `majority` (the most frequent grade, ties to the lower).
    """
    if grades.shape[2] == 1:
        return grades[:, :, 0]
    if aggregate is Aggregate.MEAN:
        is_graded = ~np.isnan(grades)
        number = is_graded.sum(axis=2)
        total = np.where(is_graded, grades, 0.0).sum(axis=2)
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return np.apply_along_axis(_median if aggregate is Aggregate.MEDIAN else _most_frequent, 2, grades)


def _median(votes: FloatArray) -> float:
    known = votes[~np.isnan(votes)]
    return float(np.median(known)) if len(known) else float("nan")


def _most_frequent(votes: FloatArray) -> float:
    values, counts = np.unique(votes[~np.isnan(votes)], return_counts=True)
    return float(values[np.argmax(counts)]) if len(values) else float("nan")


def score_candidates(weights: FloatArray, grades: FloatArray, aggregate: Aggregate) -> Scores:
    """Return `sum(w*g) / sum(w)` over the graded criteria, for every rubric and candidate.

    Args:
        weights: (rubrics, criteria), each row summing to 1; 0 where the rubric lacks the criterion.
        grades: (criteria, candidates, votes) as a bank holds them: 0..1, `NOT_APPLICABLE`, or NaN for ungraded.
        aggregate: how votes become one grade.
    """
    applicable = np.where(grades == NOT_APPLICABLE, np.nan, grades)
    votes = grades.shape[2]
    score = _weighted_mean(weights, aggregate_votes(applicable, aggregate))
    variance = np.zeros_like(score)
    if votes > 1:
        by_vote = np.stack([_weighted_mean(weights, applicable[:, :, vote]) for vote in range(votes)])
        counted = ~np.isnan(by_vote)
        number = np.maximum(counted.sum(axis=0), 1)
        mean = np.where(counted, by_vote, 0.0).sum(axis=0) / number
        variance = (np.where(counted, by_vote - mean, 0.0) ** 2).sum(axis=0) / number
    is_missing = np.isnan(grades).any(axis=2)
    is_complete = (weights > 0).astype(float) @ is_missing.astype(float) == 0
    return Scores(score, variance, is_complete)


def _weighted_mean(weights: FloatArray, grades: FloatArray) -> FloatArray:
    """Return (rubrics, candidates): the weighted mean of the known grades, NaN where too much is unknown."""
    is_graded = ~np.isnan(grades)
    graded_weight = weights @ is_graded.astype(float)
    total = weights @ np.where(is_graded, grades, 0.0)
    is_scored = graded_weight >= (1 - UNSCORED_SHARE) - 1e-12
    return np.where(is_scored, total / np.where(is_scored, graded_weight, 1.0), np.nan)
