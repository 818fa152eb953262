"""The objective counts the pairs that its settings select, and prefers rubrics that order them as the reference does."""

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.evaluation.objective import pair_weights, shrink
from autosr_lib.evaluation.settings import Aggregate, PairsSetting
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.prepared_prompt import PreparedPrompt
from tests.evaluation.objectives import (
    NAN,
    PLAIN,
    RUBRIC_TAIL,
    TAIL_TOUCHING,
    TAIL_WEIGHTED,
    evaluation_of,
    objective_settings,
    reference_of,
)
from tests.fakes import criterion, prompt_with, rubric
from tests.worlds import preferences_of


def test_tail_weighted_weighs_a_pair_by_the_quantile_of_its_better_candidate() -> None:
    reference = reference_of([4, 3, 2, 1])

    weights = pair_weights(reference, objective_settings(beta=0.5))

    top, second, third = exp(1 / 0.5), exp((2 / 3) / 0.5), exp((1 / 3) / 0.5)
    np.testing.assert_allclose(weights / weights[0] * top, [top, top, top, second, second, third])


def test_with_a_tiny_beta_only_pairs_of_the_best_candidate_count() -> None:
    evaluation = evaluation_of([0.9, 0.1, 0.5], reference_of([3, 2, 1]), objective_settings(beta=1e-4, **PLAIN))

    assert evaluation.objective == pytest.approx(1), "the wrong pair below the top has no weight, and nothing overflows"


def test_the_complete_formula_in_tail_weighted() -> None:
    reference = reference_of([4, 3, 2, 1], sources="abab")
    settings = objective_settings(lambda_var=0.2, mu_diverse=0.25, pair_confidence_prior=8)

    # The two best are swapped; the others are in the right order. The tail, 2 of 4, has variances 0.01 and 0.03.
    evaluation = evaluation_of([0.7, 0.8, 0.5, 0.1], reference, settings, variance=[0.01, 0.03, 0.2, 0.2])

    top, second, third = exp(2), exp(4 / 3), exp(2 / 3)
    weights = [top, top, top, second, second, third]
    share, n = 1 - top / sum(weights), sum(weights) ** 2 / sum(w * w for w in weights)
    tail_acc = 0.5 + n / (n + 8) * (share - 0.5)
    # The pairs from different sources are (0, 1), (0, 3), (1, 2) and (2, 3).
    diverse = [top, top, second, third]
    diverse_share, diverse_n = 1 - top / sum(diverse), sum(diverse) ** 2 / sum(w * w for w in diverse)
    diverse_acc = 0.5 + diverse_n / (diverse_n + 8) * (diverse_share - 0.5)
    assert evaluation.tail_acc == pytest.approx(tail_acc)
    assert evaluation.diverse_tail_acc == pytest.approx(diverse_acc)
    assert evaluation.tail_var == pytest.approx(0.02)
    assert evaluation.objective == pytest.approx(tail_acc - 0.2 * 0.02 + 0.25 * diverse_acc)
    assert evaluation.effective_pairs == pytest.approx(n)
    assert evaluation.pairs == 6


def test_tail_touching_counts_all_pairs_with_a_candidate_in_the_reference_tail_equally() -> None:
    reference = reference_of([4, 3, 2, 1])

    # Wrong: (0, 1), which touches the tail {0, 1}, and (2, 3), which does not.
    evaluation = evaluation_of([0.7, 0.8, 0.1, 0.2], reference, objective_settings(TAIL_TOUCHING, **PLAIN))

    assert evaluation.pairs == 5
    assert evaluation.objective == pytest.approx(4 / 5)
    assert evaluation.effective_pairs == pytest.approx(5)


def test_rubric_tail_counts_pairs_inside_the_rubrics_own_tail() -> None:
    reference = reference_of([4, 3, 2, 1])

    upside_down = evaluation_of([0.1, 0.2, 0.8, 0.7], reference, objective_settings(RUBRIC_TAIL, **PLAIN))

    assert upside_down.pairs == 1
    assert upside_down.objective == 1, "the known flaw of this setting: the two worst are on top, in the right order"


def test_shrinkage_pulls_toward_chance_by_the_effective_number_of_pairs() -> None:
    reference = reference_of([4, 3, 2, 1])

    evaluation = evaluation_of(
        [0.8, 0.7, 0.1, 0.2], reference, objective_settings(TAIL_TOUCHING, pair_confidence_prior=8, mu_diverse=0)
    )

    assert evaluation.tail_acc == pytest.approx(0.5 + 5 / (5 + 8) * 0.5)
    assert evaluation.effective_pairs == pytest.approx(5)


@pytest.mark.parametrize(("candidates", "perfect"), [(6, 0.81), (16, 0.96)])
def test_a_perfect_rubric_has_the_accuracy_given_in_the_method(candidates: int, perfect: float) -> None:
    qualities = [float(candidates - i) for i in range(candidates)]

    evaluation = evaluation_of(
        qualities, reference_of(qualities), objective_settings(beta=0.5, pair_confidence_prior=8)
    )

    assert evaluation.tail_acc == pytest.approx(perfect, abs=0.005)


def test_a_prior_of_zero_turns_shrinkage_off_and_no_pairs_are_chance() -> None:
    accuracy, pairs = np.array([0.9, 0.9]), np.array([3.0, 0.0])

    np.testing.assert_allclose(shrink(accuracy, pairs, prior=0), [0.9, 0.5])


@pytest.mark.parametrize("tie_credit", [0.0, 0.5, 1.0])
def test_a_pair_that_the_rubric_ties_earns_the_tie_credit(tie_credit: float) -> None:
    settings = objective_settings(TAIL_TOUCHING, tie_credit=tie_credit, tie_tolerance=0.01, **PLAIN)

    evaluation = evaluation_of([0.5, 0.505, 0.2], reference_of([3, 2, 1]), settings)

    assert evaluation.objective == pytest.approx((2 + tie_credit) / 3)
    assert evaluation.pairs == 3


def test_a_pair_with_an_unscored_candidate_stays_in_the_denominator() -> None:
    settings = objective_settings(TAIL_TOUCHING, tie_credit=0.5, **PLAIN)
    reference = reference_of([3, 2, 1])

    wrong, unscored = (evaluation_of([0.5, score, 0.2], reference, settings) for score in (0.1, NAN))

    assert wrong.objective == pytest.approx(2 / 3)
    assert unscored.objective == pytest.approx((1 + 2 * 0.5) / 3), (
        "leaving a difficult candidate unscored gains nothing"
    )
    assert unscored.pairs == 3


def test_a_pair_that_the_reference_ties_does_not_count() -> None:
    evaluation = evaluation_of([0.1, 0.9, 0.0], reference_of([2, 2, 1]), objective_settings(TAIL_WEIGHTED, **PLAIN))

    assert evaluation.pairs == 2
    assert evaluation.objective == 1


@pytest.mark.parametrize("pairs", PairsSetting)
def test_without_pairs_from_different_sources_the_diverse_accuracy_is_the_tail_accuracy(pairs: PairsSetting) -> None:
    evaluation = evaluation_of([0.7, 0.8, 0.1], reference_of([3, 2, 1], sources="aaa"), objective_settings(pairs))

    assert evaluation.diverse_tail_acc == evaluation.tail_acc


def test_the_right_order_between_sources_is_worth_more_than_within_one() -> None:
    reference = reference_of([4, 3, 2, 1], sources="aabb")
    settings = objective_settings(TAIL_TOUCHING, tail_fraction=1, pair_confidence_prior=0)

    within, between = (
        evaluation_of(scores, reference, settings) for scores in ([0.8, 0.9, 0.2, 0.1], [0.9, 0.4, 0.5, 0.1])
    )

    assert within.tail_acc == between.tail_acc == pytest.approx(5 / 6)
    assert within.objective - between.objective == pytest.approx(0.25 * (1 - 3 / 4))


def test_only_the_variance_of_tail_candidates_lowers_the_objective() -> None:
    reference, settings = reference_of([4, 3, 2, 1]), objective_settings(lambda_var=0.2)

    without_variance, outside_tail, in_tail = (
        evaluation_of([0.9, 0.7, 0.5, 0.1], reference, settings, variance=variance)
        for variance in ([0, 0, 0, 0], [0, 0, 0.2, 0.2], [0.1, 0.2, 0, 0])
    )

    assert without_variance.objective == outside_tail.objective
    assert without_variance.objective - in_tail.objective == pytest.approx(0.2 * 0.15)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=8).filter(lambda q: len(set(q)) > 1), st.floats(0.05, 5))
def test_a_rubric_that_ranks_the_worst_on_top_loses_to_one_that_ranks_them_last(
    qualities: list[int], beta: float
) -> None:
    reference = reference_of([float(q) for q in qualities])
    settings = objective_settings(TAIL_WEIGHTED, beta=beta)

    right_way_up = evaluation_of([q / 5 for q in qualities], reference, settings)
    upside_down = evaluation_of([1 - q / 5 for q in qualities], reference, settings)

    assert upside_down.objective < right_way_up.objective
    assert upside_down.pair_accuracy == 0
    assert right_way_up.pair_accuracy == 1


def test_an_error_at_the_top_costs_more_than_one_at_the_bottom() -> None:
    reference, settings = reference_of([4, 3, 2, 1]), objective_settings(TAIL_WEIGHTED)

    at_top = evaluation_of([0.7, 0.8, 0.5, 0.1], reference, settings)
    at_bottom = evaluation_of([0.8, 0.7, 0.1, 0.5], reference, settings)

    assert at_top.pair_accuracy == at_bottom.pair_accuracy
    assert at_top.objective < at_bottom.objective


@given(st.permutations(range(4)), st.integers(0, 2**32 - 1), st.sampled_from(PairsSetting))
def test_an_evaluation_does_not_depend_on_the_order_or_ids_of_criteria(
    order: list[int], seed: int, pairs: PairsSetting
) -> None:
    rng = np.random.default_rng(seed)
    names, weights = ["clear", "deep", "true", "kind"], rng.dirichlet(np.ones(4)).tolist()
    prompt = prompt_with(rng.integers(0, 4, 6).tolist())
    prepared = PreparedPrompt(prompt, preferences_of(prompt), frozenset(), objective_settings(pairs))
    criteria = [criterion(name, weight) for name, weight in zip(names, weights, strict=True)]
    bank = GradeBank(6, 2).with_criteria(criteria, prepared.texts)
    bank = bank.with_entries(
        BankEntry(c.key, i, v, rng.uniform()) for c in criteria for i in range(6) for v in range(2)
    )
    renamed = [criteria[i].model_copy(update={"criterion_id": f"other {i}"}) for i in order]
    rubrics = [rubric(*names).model_copy(update={"criteria": tuple(variant)}) for variant in (criteria, renamed)]

    original, changed = GradedPrompt(bank, prepared, [0, 1], Aggregate.MEAN).evaluate(rubrics)

    assert changed == pytest.approx(original, abs=1e-12)
