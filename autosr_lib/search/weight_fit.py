"""The free mutation `reweight`: criterion weights fitted to the reference's pairs (docs/method.md §7)."""

from typing import Final

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.special import expit

from autosr_lib.evaluation.arrays import FloatArray, IntArray

RIDGE_AT_TWELVE: Final = 1e-2
"""Ridge at 12 candidates. Planted worlds with clean labels want 0.001, with noisy labels anything up to 0.01 is as good;
pairs of unseen summaries in SummEval, where measures tell little, want 0.03 to 0.1.
"""
SCALE_RIDGE: Final = 1e-4
"""Ridge along the present weights: only so strong that pairs which they separate perfectly have a finite answer."""
MAX_STEPS: Final = 100
GRADIENT_TOLERANCE: Final = 1e-11
SMALLEST_STEP: Final = 2.0**-30
SUFFICIENT_DECREASE: Final = 1e-4
ROUNDING: Final = 2.0**-50
"""Share of a cost that its last digits may be off: near the minimum a good step lowers it by less than that."""
NOTHING: Final = 1e-12


def default_ridge(n_candidates: int, n_criteria: int) -> float:
    """Return the ridge for a prompt: 0.01 at 12 candidates, stronger the fewer there are (docs/method.md §7).

    Measured on planted worlds of 6 to 32 candidates, with clean and noisy labels, grade noise 0.3 to 1.2 and 8 to 30
    criteria. The best ridge fell about as 1/candidates, and did not move with the number of criteria.

    Args:
        n_candidates: visible candidates, at least 1.
        n_criteria: criteria of the rubric; measured to make no difference, so it is only checked.
    """
    if n_candidates < 1 or n_criteria < 1:
        raise ValueError(f"{n_candidates} candidates and {n_criteria} criteria; a fit needs at least 1 of each")
    return RIDGE_AT_TWELVE * 12 / n_candidates


def fit_weights(
    grades: FloatArray,
    better: IntArray,
    worse: IntArray,
    pair_weights: FloatArray,
    present: FloatArray,
    *,
    ridge: float,
) -> FloatArray:
    """Return (K,) weights >= 0 of sum 1 under which the reference's order of the pairs is most likely.

    A Bradley-Terry model of scores: `P(better beats worse) = sigmoid(theta · (g_better - g_worse))`, `theta >= 0`. It
    minimises `mean(-log P) + ridge/2 |theta - s present|² + scale_ridge/2 |theta|²` over theta and the free scale s:
    the ridge pulls toward the present *proportions*, however sharply the grades separate the pairs. The mean is by pair
    weight, so neither the number of pairs nor the scale of their weights matters.

    Pairs that tell nothing (none, of no weight, or grades all equal) leave the present weights as they are; when every
    criterion points the wrong way none earns a weight, and all are equal. Give as `present` weights that were not
    themselves fitted to these pairs: refitting a fit lets go, step by step, of what the ridge holds back.

    Args:
        grades: (K, N) in 0..1, without NaN.
        better: (P,) places of the pairs' better candidates.
        worse: (P,) places of their worse candidates.
        pair_weights: (P,) >= 0.
        present: (K,) >= 0; all zero means uniform.
        ridge: >= 0, see `default_ridge`.
    """
    prior = _normalised(present)
    gaps = (grades[:, better] - grades[:, worse]).T
    total = float(np.sum(pair_weights))
    if len(prior) == 1 or not total > 0 or not np.any(gaps[pair_weights > 0]):
        return prior
    across = np.eye(len(prior)) - np.outer(prior, prior) / (prior @ prior)
    theta = _minimise(gaps, pair_weights / total, ridge * across + SCALE_RIDGE * np.eye(len(prior)))
    return _normalised(theta)


def _normalised(weights: FloatArray) -> FloatArray:
    total = float(np.sum(weights))
    if total <= NOTHING:
        return np.full(len(weights), 1 / len(weights))
    return np.asarray(weights / total, dtype=float)


def _minimise(gaps: FloatArray, shares: FloatArray, penalty: FloatArray) -> FloatArray:
    """Return (K,) the theta >= 0 of least `shares · log(1 + exp(-gaps theta)) + theta penalty theta / 2`.

    Projected Newton steps (Bertsekas 1982): the criteria that rest at zero and would fall below it stand aside, and the
    others take the Newton step of a strictly convex problem, so there is one answer and it moves smoothly.
    """
    theta = np.zeros(gaps.shape[1])
    margin = np.zeros(len(gaps))
    cost = _cost(theta, margin, shares, penalty)
    for _ in range(MAX_STEPS):
        doubt = expit(-margin)
        pull = shares * doubt
        gradient = penalty @ theta - pull @ gaps
        free = np.flatnonzero((theta > 0) | (gradient < 0))
        if not len(free) or np.abs(gradient[free]).max() < GRADIENT_TOLERANCE:
            break
        moving = gaps[:, free]
        curvature = (moving.T * (pull * (1 - doubt))) @ moving + penalty[np.ix_(free, free)]
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
            break  # no step lowers the cost within floating point: this is the minimum
        theta, margin, cost = moved, moved_margin, moved_cost
    return theta


def _cost(theta: FloatArray, margin: FloatArray, shares: FloatArray, penalty: FloatArray) -> float:
    return float(shares @ np.logaddexp(0.0, -margin) + theta @ penalty @ theta / 2)


def _descent(curvature: FloatArray, pull: FloatArray) -> FloatArray:
    _, step, fault = dposv(curvature, pull)  # LAPACK's own: scipy's checks take ten times as long as so small a system
    # A ridge so large that the curvature loses its digits: steepest descent still goes down.
    return pull if fault else np.asarray(step)
