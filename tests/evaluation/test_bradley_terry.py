"""Strengths fitted to judged pairs: they satisfy the equations of the model, and follow the results."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from autosr_lib.evaluation.arrays import FloatArray, IntArray
from autosr_lib.evaluation.bradley_terry import fit_strengths

Games = tuple[int, IntArray, IntArray, FloatArray]


@st.composite
def tournaments(draw: st.DrawFn) -> Games:
    n = draw(st.integers(2, 12))
    pair = st.tuples(st.integers(0, n - 1), st.integers(1, n - 1), st.sampled_from([0.0, 0.5, 1.0]))
    games = draw(st.lists(pair, max_size=40))
    first = np.array([a for a, _, _ in games], dtype=np.int64)
    second = np.array([(a + step) % n for a, step, _ in games], dtype=np.int64)
    return n, first, second, np.array([outcome for _, _, outcome in games], dtype=float)


@given(tournaments())
def test_any_tournament_has_finite_strengths_around_zero(games: Games) -> None:
    strength = fit_strengths(*games)

    assert strength.shape == (games[0],)
    assert np.isfinite(strength).all()
    assert strength.mean() == pytest.approx(0, abs=1e-9)


@given(tournaments())
def test_wins_exceed_expected_wins_by_the_pull_of_the_prior(games: Games) -> None:
    n, first, second, outcome = games

    strength = fit_strengths(n, first, second, outcome, prior=0.1)

    residual = outcome - expit(strength[first] - strength[second])
    excess_wins = np.bincount(first, residual, n) - np.bincount(second, residual, n)
    np.testing.assert_allclose(excess_wins, 0.1 * strength, atol=1e-10)


@given(tournaments())
def test_the_order_of_the_candidates_in_a_pair_does_not_matter(games: Games) -> None:
    n, first, second, outcome = games

    np.testing.assert_allclose(
        fit_strengths(n, first, second, outcome), fit_strengths(n, second, first, 1 - outcome), atol=1e-7
    )


@given(tournaments())
def test_inverting_all_results_inverts_the_strengths(games: Games) -> None:
    n, first, second, outcome = games

    np.testing.assert_allclose(
        fit_strengths(n, first, second, outcome), -fit_strengths(n, first, second, 1 - outcome), atol=1e-7
    )


def test_a_complete_consistent_tournament_gives_its_order() -> None:
    first, second = np.triu_indices(12, 1)

    strength = fit_strengths(12, first, second, np.ones(len(first)))

    assert (np.diff(strength) < 0).all()


def test_a_chain_of_single_wins_gives_the_order_of_the_chain() -> None:
    strength = fit_strengths(6, np.arange(5), np.arange(1, 6), np.ones(5))

    assert (np.diff(strength) < 0).all()


def test_with_only_ties_all_strengths_are_equal() -> None:
    first, second = np.triu_indices(5, 1)

    strength = fit_strengths(5, first, second, np.full(len(first), 0.5))

    np.testing.assert_allclose(strength, 0, atol=1e-9)


def test_a_candidate_in_no_pair_has_strength_zero() -> None:
    strength = fit_strengths(3, np.array([0]), np.array([1]), np.array([1.0]))

    assert strength[0] > strength[2] > strength[1]
    assert strength[2] == pytest.approx(0, abs=1e-9)


def test_without_pairs_all_strengths_are_zero() -> None:
    no_pairs = np.array([], dtype=np.int64)

    np.testing.assert_array_equal(fit_strengths(4, no_pairs, no_pairs, np.array([])), np.zeros(4))


def test_strengths_are_recovered_from_many_games() -> None:
    rng = np.random.default_rng(0)
    true = np.array([-1.5, -0.5, 0.0, 0.5, 1.5])
    first = rng.integers(0, 5, 20_000)
    second = (first + rng.integers(1, 5, 20_000)) % 5
    outcome = (rng.random(20_000) < expit(true[first] - true[second])).astype(float)

    np.testing.assert_allclose(fit_strengths(5, first, second, outcome), true, atol=0.1)


def test_a_prior_of_zero_is_rejected() -> None:
    with pytest.raises(ValueError, match="prior is 0"):
        fit_strengths(2, np.array([0]), np.array([1]), np.array([1.0]), prior=0)
