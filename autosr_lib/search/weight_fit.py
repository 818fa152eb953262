"""Fitting criterion weights to the pairs of a reference: a ridge-regularised Bradley-Terry model (docs/method.md §7)."""

from typing import Final

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.special import expit

from autosr_lib.evaluation.arrays import FloatArray, IntArray

RIDGE_AT_TWELVE: Final = 1e-2
"""Ridge at 12 candidates. The best values measured: 0.001 on planted worlds with clean labels, up to 0.01 with noisy
labels, and 0.03 to 0.1 on pairs of unseen summaries in SummEval.
"""
SCALE_RIDGE: Final = 1e-4
"""Ridge along the prior weights: strong enough to keep the solution finite if they order every pair rightly."""
MAX_STEPS: Final = 100
GRADIENT_TOLERANCE: Final = 1e-11
SMALLEST_STEP: Final = 2.0**-30
SUFFICIENT_DECREASE: Final = 1e-4
ROUNDING: Final = 2.0**-50
"""Relative rounding error allowed in a cost: near the minimum, a good step lowers the cost by less than that."""
MIN_TOTAL_WEIGHT: Final = 1e-12


def default_ridge(n_candidates: int, n_criteria: int) -> float:
    """Return the ridge for a prompt: 0.01 at 12 candidates, inversely proportional to their number.

    Measured on planted worlds of 6 to 32 candidates and 8 to 30 criteria, with clean and noisy labels and grade noise
    0.3 to 1.2: the best ridge fell about as 1/candidates, and did not depend on the number of criteria.

    >>> default_ridge(n_candidates=6, n_criteria=8)
    0.02

    Args:
        n_candidates: the number of visible candidates, at least 1.
        n_criteria: the number of criteria, at least 1. It does not affect the ridge and is only checked.

    Raises:
        ValueError: there is no candidate or no criterion.
    """
    if n_candidates < 1 or n_criteria < 1:
        raise ValueError(f"{n_candidates} candidates and {n_criteria} criteria; a fit needs at least 1 of each")
    return RIDGE_AT_TWELVE * 12 / n_candidates


def fit_weights(
    grades: FloatArray,
    better: IntArray,
    worse: IntArray,
    pair_weights: FloatArray,
    prior: FloatArray,
    *,
    ridge: float,
) -> FloatArray:
    """Return (K,) weights >= 0 of sum 1 under which the reference's order of the pairs is most likely.

    A Bradley-Terry model of scores: `P(better beats worse) = sigmoid(theta · (g_better - g_worse))`, `theta >= 0`. It
    minimises `mean(-log P) + ridge/2 |theta - s prior|² + scale_ridge/2 |theta|²` over theta and the free scale s, so
    that the ridge pulls toward the *proportions* of the prior, however strongly the grades separate the pairs. The
    mean is weighted by pair, so the result depends neither on the number of pairs nor on the scale of their weights.

    The prior is returned, normalised, if no pair has weight or no grades differ. The weights are equal if every
    criterion points the wrong way. The prior must not come from a fit to the same pairs: then every repetition would
    weaken the ridge.

    >>> grades = np.array([[0.9, 0.5, 0.1], [0.1, 0.5, 0.9], [0.8, 0.2, 0.4]])
    >>> better, worse = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> fit_weights(grades, better, worse, np.ones(3), np.ones(3), ridge=0.01).round(2).tolist()
    [0.71, 0.0, 0.29]

    Args:
        grades: (K, N) in 0..1, without NaN.
        better: (P,) indices of the pairs' better candidates.
        worse: (P,) indices of their worse candidates.
        pair_weights: (P,) >= 0.
        prior: (K,) >= 0; all zero means uniform.
        ridge: >= 0, see `default_ridge`.
    """
    prior = _normalised(prior)
    gaps = (grades[:, better] - grades[:, worse]).T
    total = float(np.sum(pair_weights))
    if len(prior) == 1 or not total > 0 or not np.any(gaps[pair_weights > 0]):
        return prior
    across = np.eye(len(prior)) - np.outer(prior, prior) / (prior @ prior)
    theta = _minimise(gaps, pair_weights / total, ridge * across + SCALE_RIDGE * np.eye(len(prior)))
    return _normalised(theta)


def _normalised(weights: FloatArray) -> FloatArray:
    """Return the weights scaled to sum 1, or equal weights if all are zero."""
    total = float(np.sum(weights))
    if total <= MIN_TOTAL_WEIGHT:
        return np.full(len(weights), 1 / len(weights))
    return np.asarray(weights / total, dtype=float)


def _minimise(gaps: FloatArray, shares: FloatArray, penalty: FloatArray) -> FloatArray:
    """Return (K,) the theta >= 0 that minimises `shares · log(1 + exp(-gaps theta)) + theta penalty theta / 2`.

    Projected Newton steps (Bertsekas 1982): weights that are zero and would become negative stay fixed, the others take
    a Newton step. The problem is strictly convex, so the solution is unique and depends smoothly on the inputs.
    """
    theta = np.zeros(gaps.shape[1])
    margin = np.zeros(len(gaps))
    cost = _cost(theta, margin, shares, penalty)
    for _ in range(MAX_STEPS):
        p_wrong = expit(-margin)
        error = shares * p_wrong
        gradient = penalty @ theta - error @ gaps
        free = np.flatnonzero((theta > 0) | (gradient < 0))
        if not len(free) or np.abs(gradient[free]).max() < GRADIENT_TOLERANCE:
            break
        moving = gaps[:, free]
        curvature = (moving.T * (error * (1 - p_wrong))) @ moving + penalty[np.ix_(free, free)]
        step = np.zeros_like(theta)
        step[free] = _descent(curvature, -gradient[free])
        length = 1.0
        while length >= SMALLEST_STEP:
            moved = np.maximum(theta + length * step, 0.0)
            moved_margin = gaps @ moved
            moved_cost = _cost(moved, moved_margin, shares, penalty)
            if moved_cost <= cost * (1 + ROUNDING) + SUFFICIENT_DECREASE * float(gradient @ (moved - theta)):
                break
            length /= 2
        else:
            break  # no step lowers the cost within floating-point precision: this is the minimum
        theta, margin, cost = moved, moved_margin, moved_cost
    return theta


def _cost(theta: FloatArray, margin: FloatArray, shares: FloatArray, penalty: FloatArray) -> float:
    return float(shares @ np.logaddexp(0.0, -margin) + theta @ penalty @ theta / 2)


def _descent(curvature: FloatArray, descent: FloatArray) -> FloatArray:
    """Return the Newton step, or the direction of steepest descent if the curvature is not positive definite."""
    _, step, fault = dposv(curvature, descent)  # called directly: scipy's checks take ten times as long as solving
    return descent if fault else np.asarray(step)
