"""Fitted weights are the unique minimum of a ridge-regularised Bradley-Terry cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from autosr_lib.evaluation.arrays import FloatArray, IntArray
from autosr_lib.search.weight_fit import SCALE_RIDGE, default_ridge, fit_weights

RIDGE = 1e-3


Problem = tuple[FloatArray, IntArray, IntArray, FloatArray, FloatArray, float]


def pairs_of(quality: FloatArray) -> tuple[IntArray, IntArray]:
    """Return every ordered pair of candidates, the better one first."""
    order = np.argsort(-quality, kind="stable")
    above, below = np.triu_indices(len(quality), 1)
    return order[above], order[below]


def world(seed: int, criteria: int, candidates: int, noise: float = 0.05) -> tuple[FloatArray, IntArray, IntArray]:
    """Return grades whose first two criteria decide the order, 3 to 1, and the pairs."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 1, (criteria, candidates))
    quality = 0.75 * true[0] + 0.25 * true[min(1, criteria - 1)]
    return np.clip(true + rng.normal(0, noise, true.shape), 0, 1), *pairs_of(quality)


def uniform(count: int) -> FloatArray:
    return np.full(count, 1 / count)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    criteria, candidates = draw(st.integers(1, 12)), draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 2, 6, 1000]))
    grades = np.round(rng.uniform(0, 1, (criteria, candidates)) * levels) / levels
    count = draw(st.integers(0, 20))
    better = rng.integers(0, candidates, count)
    worse = (better + rng.integers(1, candidates, count)) % candidates
    weights = rng.uniform(0, 1, count) * rng.integers(0, 2, count) * 10.0 ** draw(st.integers(-6, 6))
    prior = rng.dirichlet(np.ones(criteria)) * (rng.uniform(0, 1, criteria) < draw(st.sampled_from([0.0, 0.5, 1.0])))
    ridge = draw(st.sampled_from([0.0, 1e-6, 1e-3, 1.0, 1e6]))
    return grades, better, worse, weights, prior, ridge


@given(problems())
def test_any_fit_gives_non_negative_weights_of_sum_one(problem: Problem) -> None:
    grades, better, worse, pair_weights, prior, ridge = problem

    weights = fit_weights(grades, better, worse, pair_weights, prior, ridge=ridge)

    assert weights.shape == grades.shape[:1]
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)


@given(problems())
def test_the_same_inputs_give_the_same_weights_to_the_bit(problem: Problem) -> None:
    grades, better, worse, pair_weights, prior, ridge = problem

    once, again = (
        fit_weights(grades.copy(), better.copy(), worse.copy(), pair_weights.copy(), prior.copy(), ridge=ridge)
        for _ in range(2)
    )

    assert once.tobytes() == again.tobytes()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("criteria", "candidates"), [(2, 4), (8, 12), (30, 16)])
def test_the_fit_is_the_minimum_that_a_general_optimiser_finds(seed: int, criteria: int, candidates: int) -> None:
    grades, better, worse = world(seed, criteria, candidates, noise=0.2)
    rng = np.random.default_rng(seed)
    weights, prior = rng.uniform(0.1, 7, len(better)), rng.dirichlet(np.ones(criteria))
    shares, gaps = weights / weights.sum(), (grades[:, better] - grades[:, worse]).T
    across = np.eye(criteria) - np.outer(prior, prior) / (prior @ prior)
    penalty = RIDGE * across + SCALE_RIDGE * np.eye(criteria)

    def cost(theta: FloatArray) -> float:
        return float(shares @ np.logaddexp(0, -gaps @ theta) + theta @ penalty @ theta / 2)

    def slope(theta: FloatArray) -> FloatArray:
        return np.asarray(penalty @ theta - (shares / (1 + np.exp(gaps @ theta))) @ gaps)

    expected = minimize(
        cost,
        np.ones(criteria),
        jac=slope,
        bounds=[(0, None)] * criteria,
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 100_000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 50},
    ).x

    fitted = fit_weights(grades, better, worse, weights, prior, ridge=RIDGE)

    np.testing.assert_allclose(fitted, expected / expected.sum(), atol=1e-4)


def test_the_criterion_that_decides_the_order_gets_the_most_weight() -> None:
    grades, better, worse = world(3, criteria=8, candidates=24)

    weights = fit_weights(grades, better, worse, np.ones(len(better)), uniform(8), ridge=1e-4)

    assert weights.argmax() == 0
    assert weights[0] + weights[1] > 0.8


def test_a_criterion_that_points_the_wrong_way_gets_no_weight() -> None:
    grades, better, worse = world(1, criteria=2, candidates=12)
    with_opposite = np.vstack([grades, 1 - grades[0]])

    weights = fit_weights(with_opposite, better, worse, np.ones(len(better)), uniform(3), ridge=RIDGE)

    assert weights[2] == 0


def test_the_stronger_the_ridge_the_closer_the_weights_are_to_the_prior() -> None:
    grades, better, worse = world(5, criteria=4, candidates=12)
    prior = np.array([0.1, 0.2, 0.3, 0.4])

    def moved(ridge: float) -> float:
        fitted = fit_weights(grades, better, worse, np.ones(len(better)), prior, ridge=ridge)
        return float(np.abs(fitted - prior).sum())

    distances = [moved(ridge) for ridge in (1e-4, 1e-3, 1e-2, 1e-1, 1e3)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.5
    assert distances[-1] < 1e-3


@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_neither_the_scale_of_the_pair_weights_nor_repeating_all_pairs_changes_the_fit(seed: int, scale: float) -> None:
    grades, better, worse = world(seed, criteria=5, candidates=7)
    weights = np.random.default_rng(seed).uniform(0.1, 5, len(better))

    plain = fit_weights(grades, better, worse, weights, uniform(5), ridge=RIDGE)
    scaled = fit_weights(grades, better, worse, weights * scale, uniform(5), ridge=RIDGE)
    twice = fit_weights(grades, np.tile(better, 2), np.tile(worse, 2), np.tile(weights, 2), uniform(5), ridge=RIDGE)

    np.testing.assert_allclose(scaled, plain, atol=1e-6)
    np.testing.assert_allclose(twice, plain, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_a_small_change_of_the_grades_makes_a_small_change_of_the_weights(seed: int) -> None:
    grades, better, worse = world(seed, criteria=6, candidates=10, noise=0.15)
    nudged = grades + np.random.default_rng(seed + 1).normal(0, 1e-6, grades.shape)

    before, after = (
        fit_weights(g, better, worse, np.ones(len(better)), uniform(6), ridge=RIDGE) for g in (grades, nudged)
    )

    assert np.abs(after - before).max() < 1e-3


@given(st.permutations(range(6)))
def test_the_order_of_the_criteria_only_permutes_the_weights(order: list[int]) -> None:
    grades, better, worse = world(2, criteria=6, candidates=9)
    prior = np.arange(1, 7) / 21

    plain = fit_weights(grades, better, worse, np.ones(len(better)), prior, ridge=RIDGE)
    shuffled = fit_weights(grades[order], better, worse, np.ones(len(better)), prior[order], ridge=RIDGE)

    np.testing.assert_allclose(shuffled, plain[order], atol=1e-6)


def test_pairs_without_information_give_the_prior() -> None:
    prior, none = np.array([0.7, 0.3]), np.array([], dtype=np.int64)
    flat, varied = np.full((2, 3), 0.4), np.array([[0.0, 0.5, 1.0], [1.0, 0.2, 0.0]])
    better, worse = np.array([0, 1]), np.array([1, 2])

    no_pairs = fit_weights(varied, none, none, np.array([]), prior, ridge=RIDGE)
    no_weight = fit_weights(varied, better, worse, np.zeros(2), prior, ridge=RIDGE)
    constant = fit_weights(flat, better, worse, np.ones(2), prior, ridge=RIDGE)

    for weights in (no_pairs, no_weight, constant):
        np.testing.assert_allclose(weights, prior)


def test_a_prior_of_zeros_means_equal_weights() -> None:
    none = np.array([], dtype=np.int64)

    weights = fit_weights(np.zeros((4, 2)), none, none, np.array([]), np.zeros(4), ridge=RIDGE)

    np.testing.assert_allclose(weights, 0.25)


def test_if_every_criterion_points_the_wrong_way_the_weights_are_equal() -> None:
    grades = np.array([[0.0, 1.0], [0.2, 0.8]])

    weights = fit_weights(grades, np.array([0]), np.array([1]), np.ones(1), np.array([0.9, 0.1]), ridge=RIDGE)

    np.testing.assert_allclose(weights, 0.5)


def test_a_single_criterion_has_all_the_weight() -> None:
    weights = fit_weights(
        np.array([[0.0, 1.0]]), np.array([0]), np.array([1]), np.ones(1), np.array([0.3]), ridge=RIDGE
    )

    np.testing.assert_allclose(weights, [1.0])


def test_the_ridge_is_stronger_the_fewer_the_candidates() -> None:
    ridges = [default_ridge(n, 10) for n in (4, 6, 12, 16, 32)]

    assert ridges == sorted(ridges, reverse=True)
    assert default_ridge(6, 10) == pytest.approx(2 * default_ridge(12, 10))


def test_a_prompt_without_candidates_has_no_ridge() -> None:
    with pytest.raises(ValueError, match="0 candidates"):
        default_ridge(0, 3)
