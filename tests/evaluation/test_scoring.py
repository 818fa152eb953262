"""A score is the weighted mean of the available grades; with too few of them a candidate is unscored."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE
from autosr_lib.evaluation.scoring import aggregate_votes, score_candidates
from autosr_lib.evaluation.settings import Aggregate

NAN = float("nan")
HALF = np.array([[0.5, 0.5]])


def one_candidate(*criteria: list[float]) -> FloatArray:
    """Return (criteria, 1 candidate, votes)."""
    return np.array(criteria, dtype=float)[:, None, :]


GRADES = hnp.arrays(
    float,
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    elements=st.sampled_from([0.0, 0.2, 0.5, 1.0, NOT_APPLICABLE, NAN]),
)


def test_a_score_is_the_weighted_mean_of_the_grades() -> None:
    scores = score_candidates(np.array([[0.75, 0.25]]), one_candidate([1.0], [0.2]), Aggregate.MEAN)

    assert scores.score[0, 0] == pytest.approx(0.75 * 1.0 + 0.25 * 0.2)
    assert scores.is_complete[0, 0]


@pytest.mark.parametrize(
    ("aggregate", "grade"), [(Aggregate.MEAN, 0.5), (Aggregate.MEDIAN, 0.4), (Aggregate.MAJORITY, 0.2)]
)
def test_the_aggregate_combines_votes_into_one_grade(aggregate: Aggregate, grade: float) -> None:
    votes = one_candidate([0.2, 1.0, 0.4, 0.2, 0.7])

    assert aggregate_votes(votes, aggregate)[0, 0] == pytest.approx(grade)


def test_of_two_most_frequent_grades_the_majority_is_the_lower() -> None:
    assert aggregate_votes(one_candidate([0.8, 0.2, 0.8, 0.2, 1.0]), Aggregate.MAJORITY)[0, 0] == 0.2


@pytest.mark.parametrize("aggregate", Aggregate)
def test_ungraded_votes_are_ignored(aggregate: Aggregate) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        graded = aggregate_votes(one_candidate([NAN, 0.4, NAN], [NAN, NAN, NAN]), aggregate)

    assert graded[0, 0] == 0.4
    assert np.isnan(graded[1, 0])


def test_not_applicable_is_left_out_of_both_sums_and_is_not_missing() -> None:
    scores = score_candidates(HALF, one_candidate([NOT_APPLICABLE], [0.4]), Aggregate.MEAN)

    assert scores.score[0, 0] == pytest.approx(0.4)
    assert scores.is_complete[0, 0], "not applicable is a grade"


def test_a_missing_grade_is_left_out_and_makes_the_rubric_incomplete() -> None:
    scores = score_candidates(HALF, one_candidate([NAN], [0.4]), Aggregate.MEAN)

    assert scores.score[0, 0] == pytest.approx(0.4)
    assert not scores.is_complete[0, 0]


@pytest.mark.parametrize("missing", [NAN, NOT_APPLICABLE])
def test_a_candidate_is_unscored_if_grades_for_more_than_half_of_the_weight_are_missing(missing: float) -> None:
    weights = np.array([[0.5, 0.5], [0.51, 0.49]])

    scores = score_candidates(weights, one_candidate([missing], [0.4]), Aggregate.MEAN)

    assert scores.score[0, 0] == pytest.approx(0.4), "half is not more than half"
    assert np.isnan(scores.score[1, 0])


def test_a_criterion_without_weight_does_not_make_a_rubric_incomplete() -> None:
    scores = score_candidates(np.array([[0.0, 1.0]]), one_candidate([NAN], [0.4]), Aggregate.MEAN)

    assert scores.is_complete[0, 0]


def test_variance_is_the_variance_of_the_scores_by_vote() -> None:
    grades = one_candidate([0.0, 1.0], [0.2, 0.6])

    scores = score_candidates(np.array([[0.25, 0.75]]), grades, Aggregate.MEAN)

    by_vote = [0.75 * 0.2, 0.25 + 0.75 * 0.6]
    assert scores.variance[0, 0] == pytest.approx(np.var(by_vote))


def test_a_vote_without_a_score_is_left_out_of_the_variance() -> None:
    grades = one_candidate([0.1, NAN, 0.5], [0.1, NAN, 0.5])

    assert score_candidates(HALF, grades, Aggregate.MEAN).variance[0, 0] == pytest.approx(np.var([0.1, 0.5]))


def test_one_vote_has_no_variance() -> None:
    assert score_candidates(HALF, one_candidate([0.1], [0.9]), Aggregate.MEAN).variance[0, 0] == 0


@given(GRADES, st.sampled_from(Aggregate), st.integers(0, 2**32 - 1))
def test_any_grades_give_scores_in_bounds_and_missing_ones_are_detected(
    grades: FloatArray, aggregate: Aggregate, seed: int
) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(grades)), size=3)

    scores = score_candidates(weights, grades, aggregate)

    scored = scores.score[~np.isnan(scores.score)]
    assert ((scored >= 0) & (scored <= 1 + 1e-12)).all()
    assert ((scores.variance >= 0) & (scores.variance <= 0.25 + 1e-12)).all()
    assert (scores.is_complete == ~np.isnan(grades).any(axis=(0, 2))).all()


@given(GRADES, st.sampled_from(Aggregate))
def test_scoring_many_rubrics_at_once_equals_scoring_each_separately(grades: FloatArray, aggregate: Aggregate) -> None:
    weights = np.random.default_rng(1).dirichlet(np.ones(len(grades)), size=4)

    scores = score_candidates(weights, grades, aggregate).score

    separate_scores = np.vstack([score_candidates(row[None], grades, aggregate).score for row in weights])
    np.testing.assert_allclose(scores, separate_scores, atol=1e-12)
