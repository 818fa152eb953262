"""Strengths of candidates from judged pairs (docs/method.md §3)."""

from typing import Final

import numpy as np
from scipy.special import expit

from autosr_lib.evaluation.arrays import FloatArray, IntArray

PRIOR: Final = 0.1
"""Precision of the normal prior on a strength: it keeps a candidate that always won within reach of the others."""


def fit_strengths(
    n: int, first: IntArray, second: IntArray, outcome: FloatArray, *, prior: float = PRIOR
) -> FloatArray:
    """Return (n,) strengths, of mean 0 and higher the better: the most likely ones a posteriori.

    Bradley and Terry (1952): `P(first beats second) = sigmoid(strength_first - strength_second)`; a tie counts as half
    a win for each, and `strength ~ N(0, 1/prior)`. Equal records have equal strengths up to the last digits; a
    candidate in no pair stands at 0, in the middle.

    Args:
        n: candidates.
        first: (P,) places of the candidates named first.
        second: (P,) places of those named second.
        outcome: (P,) 1 where the first won, 0 where the second did, 0.5 a tie.
        prior: > 0.
    """
    if not prior > 0:
        raise ValueError(f"prior is {prior}; it must be above 0, or an unbeaten candidate is infinitely strong")
    if not len(first):
        return np.zeros(n)

    def cost(strength: FloatArray) -> tuple[float, FloatArray]:
        gap = strength[first] - strength[second]
        # -outcome·log σ(gap) - (1 - outcome)·log σ(-gap)
        loss = float(np.sum(np.logaddexp(0.0, gap) - outcome * gap)) + prior / 2 * float(strength @ strength)
        surprise = expit(gap) - outcome
        gradient = np.bincount(first, surprise, n) - np.bincount(second, surprise, n) + prior * strength
        return loss, gradient

    def curvature(strength: FloatArray) -> FloatArray:
        gap = strength[first] - strength[second]
        information = expit(gap) * expit(-gap)
        matrix = np.zeros((n, n))
        np.add.at(matrix, (first, second), -information)
        np.add.at(matrix, (second, first), -information)
        return np.asarray(matrix - np.diag(matrix.sum(axis=1)) + prior * np.eye(n))

    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import, and only where pairs were judged

    found = minimize(cost, np.zeros(n), jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-11})
    # The search ends where a step no longer lowers the cost by more than its last digits; one step by the gradient, which
    # is known better, goes the rest of the way.
    strength = np.asarray(found.x - np.linalg.solve(curvature(found.x), cost(found.x)[1]), dtype=float)
    return np.asarray(strength - strength.mean())
