"""The figures of an evaluation: within bounds, and those that are shown do not depend on the objective's settings."""

import pytest
from hypothesis import given

from autosr_lib.evaluation.objective import evaluate
from autosr_lib.evaluation.settings import PairsSetting
from tests.evaluation.objectives import Problem, evaluation_of, objective_settings, problems, reference_of


@given(problems())
def test_all_figures_of_any_evaluation_are_within_their_bounds(problem: Problem) -> None:
    scores, reference, settings = problem

    for evaluation in evaluate(scores, reference, settings):
        assert -0.25 * settings.lambda_var - 1e-9 <= evaluation.objective <= 1 + settings.mu_diverse + 1e-9
        assert 0 <= evaluation.tail_var <= 0.25
        assert -1 <= evaluation.top_margin <= 1
        assert 0 <= evaluation.pairs <= len(reference.better)
        for name in ("tail_acc", "diverse_tail_acc", "pair_accuracy", "rubric_tail_accuracy", "strict_tail_accuracy"):
            assert -1e-12 <= getattr(evaluation, name) <= 1 + 1e-12, name


@given(problems())
def test_figures_that_are_shown_do_not_depend_on_the_settings_of_the_objective(problem: Problem) -> None:
    scores, reference, settings = problem
    shown = ("pair_accuracy", "rubric_tail_accuracy", "strict_tail_accuracy", "top_margin", "has_right_top")
    variants = [settings.model_copy(update={"pairs": pairs, "tie_credit": 0.0, "beta": 1.0}) for pairs in PairsSetting]

    original, *others = [
        [[getattr(evaluation, name) for name in shown] for evaluation in evaluate(scores, reference, variant)]
        for variant in (settings, *variants)
    ]

    assert all(figures == original for figures in others)


def test_secondary_figures_treat_ties_in_their_own_way() -> None:
    # The rubric ties the two best, and ranks the fourth above the third.
    evaluation = evaluation_of([0.8, 0.8, 0.1, 0.2], reference_of([4, 3, 2, 1]), objective_settings(tie_credit=0))

    assert evaluation.pair_accuracy == pytest.approx((4 + 0.5) / 6), "a tie earns half, whatever the tie credit"
    assert evaluation.strict_tail_accuracy == pytest.approx(4 / 5), "ties are wrong, and (2, 3) does not touch the tail"
    assert evaluation.rubric_tail_accuracy == pytest.approx(0.5)
    assert evaluation.top_margin == 0


@pytest.mark.parametrize(
    ("score", "margin", "is_right"),
    [([0.9, 0.6, 0.1], 0.3, True), ([0.6, 0.9, 0.1], -0.3, False), ([0.1, 0.6, 0.9], -0.3, False)],
)
def test_the_top_margin_is_signed_by_the_reference(score: list[float], margin: float, is_right: bool) -> None:
    evaluation = evaluation_of(score, reference_of([3, 2, 1]), objective_settings())

    assert evaluation.top_margin == pytest.approx(margin)
    assert evaluation.has_right_top is is_right


def test_a_rubric_that_ties_everything_does_not_have_the_right_top_in_any_order_of_candidates() -> None:
    for qualities in ([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]):
        assert not evaluation_of([0.5, 0.5, 0.5], reference_of(qualities), objective_settings()).has_right_top


def test_an_incomplete_rubric_has_less_merit_than_any_complete_one() -> None:
    evaluation = evaluation_of([0.1, 0.9], reference_of([2, 1]), objective_settings())

    better_but_incomplete = evaluation._replace(is_complete=False, objective=9.0)

    assert better_but_incomplete.merit < evaluation.merit
