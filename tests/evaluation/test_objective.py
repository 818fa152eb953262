"""The objective counts the pairs that it says it counts, and cannot be talked into liking an upside-down rubric."""

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.evaluation.objective import Evaluation, evaluate, pair_weights, shrink
from autosr_lib.evaluation.reference import Reference, mid_rank_quantiles
from autosr_lib.evaluation.scoring import Scores
from autosr_lib.evaluation.settings import Aggregate, ObjectiveSettings, PairsSetting
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.prepared_prompt import PreparedPrompt
from tests.fakes import criterion, prompt_with, rubric
from tests.worlds import preferences_of

NAN = float("nan")
TAIL_WEIGHTED, TAIL_TOUCHING, RUBRIC_TAIL = PairsSetting


def objective_settings(pairs: PairsSetting = TAIL_WEIGHTED, **changes: float) -> ObjectiveSettings:
    plain = {
        "beta": 0.5,
        "tail_fraction": 0.25,
        "lambda_var": 0.2,
        "mu_diverse": 0.25,
        "pair_confidence_prior": 8.0,
        "tie_credit": 0.5,
        "tie_tolerance": 1e-8,
    }
    return ObjectiveSettings(pairs=pairs, **{**plain, **changes})


PLAIN = {"pair_confidence_prior": 0.0, "mu_diverse": 0.0, "lambda_var": 0.0}
"""Settings under which the objective is the weighted share of pairs."""


def reference_of(qualities: list[float], sources: str = "") -> Reference:
    """Return the reference of candidates with these qualities; pairs in the order (0, 1), (0, 2), …, (1, 2), …"""
    quality = np.array(qualities, dtype=float)
    pairs = [(i, j) for i in range(len(quality)) for j in range(i + 1, len(quality)) if quality[i] != quality[j]]
    ordered = [(i, j) if quality[i] > quality[j] else (j, i) for i, j in pairs]
    better, worse = np.array(ordered, dtype=np.int64).reshape(-1, 2).T
    source = np.array(list(sources or "a" * len(quality)))
    return Reference(mid_rank_quantiles(quality), better, worse, source[better] != source[worse])


def scores_of(score: list[float] | FloatArray, variance: list[float] | None = None) -> Scores:
    row = np.array([score], dtype=float)
    return Scores(
        row,
        np.zeros_like(row) if variance is None else np.array([variance], dtype=float),
        np.ones_like(row, dtype=bool),
    )


def evaluation_of(
    score: list[float], reference: Reference, settings: ObjectiveSettings, **said: list[float]
) -> Evaluation:
    return evaluate(scores_of(score, **said), reference, settings)[0]


def test_tail_weighted_weighs_a_pair_by_the_quantile_of_its_better_candidate() -> None:
    reference = reference_of([4, 3, 2, 1])

    weights = pair_weights(reference, objective_settings(beta=0.5))

    top, second, third = exp(1 / 0.5), exp((2 / 3) / 0.5), exp((1 / 3) / 0.5)
    np.testing.assert_allclose(weights / weights[0] * top, [top, top, top, second, second, third])


def test_the_hardest_look_at_the_tail_counts_the_best_candidates_pairs_alone() -> None:
    found = evaluation_of([0.9, 0.1, 0.5], reference_of([3, 2, 1]), objective_settings(beta=1e-4, **PLAIN))

    assert found.objective == pytest.approx(1), "the wrong pair below the top weighs nothing, and nothing overflows"


def test_the_whole_formula_in_tail_weighted() -> None:
    reference = reference_of([4, 3, 2, 1], sources="abab")
    settings = objective_settings(lambda_var=0.2, mu_diverse=0.25, pair_confidence_prior=8)

    # The two best are swapped; the others stand right. The tail, 2 of 4, has variances 0.01 and 0.03.
    found = evaluation_of([0.7, 0.8, 0.5, 0.1], reference, settings, variance=[0.01, 0.03, 0.2, 0.2])

    top, second, third = exp(2), exp(4 / 3), exp(2 / 3)
    weights = [top, top, top, second, second, third]
    share, n = 1 - top / sum(weights), sum(weights) ** 2 / sum(w * w for w in weights)
    tail_acc = 0.5 + n / (n + 8) * (share - 0.5)
    # Of different sources are (0,1), (0,3), (1,2) and (2,3).
    diverse = [top, top, second, third]
    diverse_share, diverse_n = 1 - top / sum(diverse), sum(diverse) ** 2 / sum(w * w for w in diverse)
    diverse_acc = 0.5 + diverse_n / (diverse_n + 8) * (diverse_share - 0.5)
    assert found.tail_acc == pytest.approx(tail_acc)
    assert found.diverse_tail_acc == pytest.approx(diverse_acc)
    assert found.tail_var == pytest.approx(0.02)
    assert found.objective == pytest.approx(tail_acc - 0.2 * 0.02 + 0.25 * diverse_acc)
    assert found.effective_pairs == pytest.approx(n)
    assert found.pairs == 6


def test_tail_touching_counts_pairs_with_a_candidate_in_the_reference_tail_alike() -> None:
    reference = reference_of([4, 3, 2, 1])

    # Wrong: (0, 1), which touches the tail {0, 1}, and (2, 3), which does not.
    found = evaluation_of([0.7, 0.8, 0.1, 0.2], reference, objective_settings(TAIL_TOUCHING, **PLAIN))

    assert found.pairs == 5
    assert found.objective == pytest.approx(4 / 5)
    assert found.effective_pairs == pytest.approx(5)


def test_rubric_tail_counts_pairs_inside_the_rubrics_own_tail() -> None:
    reference = reference_of([4, 3, 2, 1])

    upside_down = evaluation_of([0.1, 0.2, 0.8, 0.7], reference, objective_settings(RUBRIC_TAIL, **PLAIN))

    assert upside_down.pairs == 1
    assert upside_down.objective == 1, "the flaw for which it is kept to compare: the wrong two on top, rightly ordered"


def test_shrinkage_pulls_toward_chance_by_the_effective_number_of_pairs() -> None:
    reference = reference_of([4, 3, 2, 1])

    found = evaluation_of(
        [0.8, 0.7, 0.1, 0.2], reference, objective_settings(TAIL_TOUCHING, pair_confidence_prior=8, mu_diverse=0)
    )

    assert found.tail_acc == pytest.approx(0.5 + 5 / (5 + 8) * 0.5)
    assert found.effective_pairs == pytest.approx(5)


@pytest.mark.parametrize(("candidates", "perfect"), [(6, 0.81), (16, 0.96)])
def test_a_perfect_rubric_is_worth_what_the_method_says(candidates: int, perfect: float) -> None:
    qualities = [float(candidates - i) for i in range(candidates)]

    found = evaluation_of(qualities, reference_of(qualities), objective_settings(beta=0.5, pair_confidence_prior=8))

    assert found.tail_acc == pytest.approx(perfect, abs=0.005)


def test_no_prior_no_shrinkage_and_no_pairs_are_chance() -> None:
    accuracy, pairs = np.array([0.9, 0.9]), np.array([3.0, 0.0])

    np.testing.assert_allclose(shrink(accuracy, pairs, prior=0), [0.9, 0.5])


@pytest.mark.parametrize("tie_credit", [0.0, 0.5, 1.0])
def test_a_pair_that_the_rubric_ties_earns_the_tie_credit(tie_credit: float) -> None:
    settings = objective_settings(TAIL_TOUCHING, tie_credit=tie_credit, tie_tolerance=0.01, **PLAIN)

    found = evaluation_of([0.5, 0.505, 0.2], reference_of([3, 2, 1]), settings)

    assert found.objective == pytest.approx((2 + tie_credit) / 3)
    assert found.pairs == 3


def test_a_pair_with_an_unscored_candidate_stays_in_the_denominator() -> None:
    settings = objective_settings(TAIL_TOUCHING, tie_credit=0.5, **PLAIN)
    reference = reference_of([3, 2, 1])

    wrong, unscored = (evaluation_of([0.5, hard, 0.2], reference, settings) for hard in (0.1, NAN))

    assert wrong.objective == pytest.approx(2 / 3)
    assert unscored.objective == pytest.approx((1 + 2 * 0.5) / 3), "leaving out the hard candidate gains nothing"
    assert unscored.pairs == 3


def test_a_pair_that_the_reference_ties_does_not_count() -> None:
    found = evaluation_of([0.1, 0.9, 0.0], reference_of([2, 2, 1]), objective_settings(TAIL_WEIGHTED, **PLAIN))

    assert found.pairs == 2
    assert found.objective == 1


@pytest.mark.parametrize("pairs", PairsSetting)
def test_without_pairs_of_different_sources_the_diverse_part_is_the_whole(pairs: PairsSetting) -> None:
    found = evaluation_of([0.7, 0.8, 0.1], reference_of([3, 2, 1], sources="aaa"), objective_settings(pairs))

    assert found.diverse_tail_acc == found.tail_acc


def test_being_right_between_sources_is_worth_more_than_within_one() -> None:
    reference = reference_of([4, 3, 2, 1], sources="aabb")
    settings = objective_settings(TAIL_TOUCHING, tail_fraction=1, pair_confidence_prior=0)

    within, between = (
        evaluation_of(scores, reference, settings) for scores in ([0.8, 0.9, 0.2, 0.1], [0.9, 0.4, 0.5, 0.1])
    )

    assert within.tail_acc == between.tail_acc == pytest.approx(5 / 6)
    assert within.objective - between.objective == pytest.approx(0.25 * (1 - 3 / 4))


def test_only_the_variance_of_the_tail_costs() -> None:
    reference, settings = reference_of([4, 3, 2, 1]), objective_settings(lambda_var=0.2)

    calm, elsewhere, nervous = (
        evaluation_of([0.9, 0.7, 0.5, 0.1], reference, settings, variance=variance)
        for variance in ([0, 0, 0, 0], [0, 0, 0.2, 0.2], [0.1, 0.2, 0, 0])
    )

    assert calm.objective == elsewhere.objective
    assert calm.objective - nervous.objective == pytest.approx(0.2 * 0.15)


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


Problem = tuple[Scores, Reference, ObjectiveSettings]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    n, rubrics = draw(st.integers(2, 7)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    score = np.round(rng.uniform(0, 1, (rubrics, n)), draw(st.sampled_from([0, 1, 6])))
    score[rng.uniform(0, 1, score.shape) < draw(st.sampled_from([0, 0.3, 1]))] = NAN
    reference = reference_of(
        rng.integers(0, draw(st.integers(1, 6)), n).tolist(), "".join(rng.choice(list("ab"), n).tolist())
    )
    settings = objective_settings(
        draw(st.sampled_from(PairsSetting)),
        beta=draw(st.floats(1e-6, 1e6)),
        tail_fraction=draw(st.floats(0, 1)),
        lambda_var=draw(st.floats(0, 3)),
        mu_diverse=draw(st.floats(0, 3)),
        pair_confidence_prior=draw(st.floats(0, 50)),
        tie_credit=draw(st.floats(0, 1)),
        tie_tolerance=draw(st.floats(0, 1)),
    )
    return Scores(score, rng.uniform(0, 0.25, score.shape), ~np.isnan(score)), reference, settings


@given(problems())
def test_any_objective_lies_in_its_bounds_and_so_does_every_figure_beside_it(problem: Problem) -> None:
    scores, reference, settings = problem

    for found in evaluate(scores, reference, settings):
        assert -0.25 * settings.lambda_var - 1e-9 <= found.objective <= 1 + settings.mu_diverse + 1e-9
        assert 0 <= found.tail_var <= 0.25
        assert -1 <= found.top_margin <= 1
        assert 0 <= found.pairs <= len(reference.better)
        for name in ("tail_acc", "diverse_tail_acc", "pair_accuracy", "rubric_tail_accuracy", "strict_tail_accuracy"):
            assert -1e-12 <= getattr(found, name) <= 1 + 1e-12, name


@given(problems())
def test_figures_that_are_shown_do_not_depend_on_what_the_objective_counts(problem: Problem) -> None:
    scores, reference, settings = problem
    shown = ("pair_accuracy", "rubric_tail_accuracy", "strict_tail_accuracy", "top_margin", "has_right_top")
    others = [settings.model_copy(update={"pairs": pairs, "tie_credit": 0.0, "beta": 1.0}) for pairs in PairsSetting]

    found = [[[getattr(e, name) for name in shown] for e in evaluate(scores, reference, one)] for one in others]

    plain = [[getattr(e, name) for name in shown] for e in evaluate(scores, reference, settings)]
    assert all(one == plain for one in found)


def test_secondary_measures_are_recorded_beside_the_objective() -> None:
    # The rubric ties the two best; the third is below, the fourth above the third.
    found = evaluation_of([0.8, 0.8, 0.1, 0.2], reference_of([4, 3, 2, 1]), objective_settings(tie_credit=0))

    assert found.pair_accuracy == pytest.approx((4 + 0.5) / 6), "its ties earn half, whatever the objective gives them"
    assert found.strict_tail_accuracy == pytest.approx(4 / 5), "ties are wrong, and (2, 3) does not touch the tail"
    assert found.rubric_tail_accuracy == pytest.approx(0.5)
    assert found.top_margin == 0


@pytest.mark.parametrize(
    ("score", "margin", "is_right"),
    [([0.9, 0.6, 0.1], 0.3, True), ([0.6, 0.9, 0.1], -0.3, False), ([0.1, 0.6, 0.9], -0.3, False)],
)
def test_the_top_margin_is_signed_by_the_reference(score: list[float], margin: float, is_right: bool) -> None:
    found = evaluation_of(score, reference_of([3, 2, 1]), objective_settings())

    assert found.top_margin == pytest.approx(margin)
    assert found.has_right_top is is_right


def test_a_rubric_that_ties_everything_has_no_right_top_wherever_the_best_is_listed() -> None:
    for qualities in ([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]):
        assert not evaluation_of([0.5, 0.5, 0.5], reference_of(qualities), objective_settings()).has_right_top


def test_an_incomplete_rubric_has_less_merit_than_any_complete_one() -> None:
    found = evaluation_of([0.1, 0.9], reference_of([2, 1]), objective_settings())

    better_but_incomplete = found._replace(is_complete=False, objective=9.0)

    assert better_but_incomplete.merit < found.merit


@given(st.permutations(range(4)), st.integers(0, 2**32 - 1), st.sampled_from(PairsSetting))
def test_an_evaluation_does_not_depend_on_the_order_or_ids_of_criteria(
    order: list[int], seed: int, pairs: PairsSetting
) -> None:
    rng = np.random.default_rng(seed)
    names, weights = ["clear", "deep", "true", "kind"], rng.dirichlet(np.ones(4)).tolist()
    prompt = prompt_with(rng.integers(0, 4, 6).tolist())
    case = PreparedPrompt(prompt, preferences_of(prompt), frozenset(), objective_settings(pairs))
    plain = [criterion(name, weight) for name, weight in zip(names, weights, strict=True)]
    bank = GradeBank(6, 2).with_criteria(plain, case.texts)
    bank = bank.with_entries(BankEntry(c.key, i, v, rng.uniform()) for c in plain for i in range(6) for v in range(2))
    shuffled = [plain[i].model_copy(update={"criterion_id": f"other {i}"}) for i in order]
    rubrics = [rubric(*names).model_copy(update={"criteria": tuple(criteria)}) for criteria in (plain, shuffled)]

    before, after = GradedPrompt(bank, case, [0, 1], Aggregate.MEAN).evaluate(rubrics)

    assert after == pytest.approx(before, abs=1e-12)
