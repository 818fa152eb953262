"""Strengths of candidates from judged pairs (docs/method.md §3)."""

from typing import Final

import numpy as np
from scipy.special import expit

from autosr_lib.evaluation.arrays import FloatArray, IntArray

PRIOR: Final = 0.1
"""Precision of the normal prior on strengths. It keeps the strength of a candidate that always won finite."""


def fit_strengths(
    n: int, first: IntArray, second: IntArray, outcome: FloatArray, *, prior: float = PRIOR
) -> FloatArray:
    """Return (n,) the maximum a posteriori strengths of candidates, with mean 0; higher is better.

    The model is that of Bradley and Terry (1952): `P(first beats second) = sigmoid(strength_first - strength_second)`,
    with `strength ~ N(0, 1/prior)`; a tie counts as half a win for each candidate. Candidates with equal records have
    equal strengths up to rounding; a candidate in no pair has strength 0, the mean.

    Args:
        n: number of candidates.
        first: (P,) position of the first candidate of each pair.
        second: (P,) position of the second candidate of each pair.
        outcome: (P,) 1 if the first won, 0 if the second won, 0.5 for a tie.
        prior: precision of the prior, > 0.

    Raises:
        ValueError: `prior` is not positive.

    >>> fit_strengths(2, np.array([0, 0]), np.array([1, 1]), np.array([1.0, 0.5])).round(2).tolist()
    [0.49, -0.49]
    """
    if not prior > 0:
        raise ValueError(f"prior is {prior}; it must be above 0, or the strength of an unbeaten candidate is infinite")
    if not len(first):
        return np.zeros(n)

    def cost(strength: FloatArray) -> tuple[float, FloatArray]:
        gap = strength[first] - strength[second]
        # -outcome·log σ(gap) - (1 - outcome)·log σ(-gap)
        loss = float(np.sum(np.logaddexp(0.0, gap) - outcome * gap)) + prior / 2 * float(strength @ strength)
        residual = expit(gap) - outcome
        gradient = np.bincount(first, residual, n) - np.bincount(second, residual, n) + prior * strength
        return loss, gradient

    def hessian(strength: FloatArray) -> FloatArray:
        gap = strength[first] - strength[second]
        information = expit(gap) * expit(-gap)
        matrix = np.zeros((n, n))
        np.add.at(matrix, (first, second), -information)
        np.add.at(matrix, (second, first), -information)
        return np.asarray(matrix - np.diag(matrix.sum(axis=1)) + prior * np.eye(n))

    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import, and only where pairs were judged

    fit = minimize(cost, np.zeros(n), jac=True, hess=hessian, method="trust-exact", options={"gtol": 1e-11})
    # The optimiser stops once the cost changes only by rounding. The gradient is still accurate there, so one Newton
    # step gets closer to the optimum.
    strength = np.asarray(fit.x - np.linalg.solve(hessian(fit.x), cost(fit.x)[1]), dtype=float)
    return np.asarray(strength - strength.mean())
