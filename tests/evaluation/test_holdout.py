"""Hidden candidates depend on ids and a seed only; pooled accuracies have intervals over prompts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.holdout import (
    MIN_PROMPTS_RESAMPLED,
    HoldoutCount,
    PairCount,
    PairSummary,
    hidden_candidates,
    summarise_holdout,
)
from autosr_lib.evaluation.settings import HoldoutSettings
from tests.fakes import prompt_with

NO_PAIRS = PairCount(0, 0.0, 0.0)


def holdout_settings(fraction: float, seed: int = 7) -> HoldoutSettings:
    return HoldoutSettings(holdout_fraction=fraction, holdout_seed=seed)


def prompt_of(n: int, prompt_id: str = "p1") -> Prompt:
    return prompt_with(list(range(n)), prompt_id)


@given(st.integers(4, 60), st.floats(0, 0.5, exclude_min=True))
def test_the_given_fraction_is_hidden_and_two_candidates_stay_visible(n: int, fraction: float) -> None:
    hidden = hidden_candidates(prompt_of(n), holdout_settings(fraction))

    assert len(hidden) == max(1, round(fraction * n))
    assert n - len(hidden) >= 2


@pytest.mark.parametrize(("n", "fraction"), [(2, 0.25), (3, 0.5), (12, 0)])
def test_no_candidate_of_a_small_prompt_or_with_a_fraction_of_zero_is_hidden(n: int, fraction: float) -> None:
    assert hidden_candidates(prompt_of(n), holdout_settings(fraction)) == frozenset()


@given(st.permutations(range(9)), st.integers(0, 5))
def test_hidden_candidates_do_not_depend_on_order_texts_or_labels(order: list[int], seed: int) -> None:
    prompt = prompt_of(9)
    changed = tuple(
        prompt.candidates[i].model_copy(update={"text": f"other {i}", "metadata": {"quality": seed}}) for i in order
    )

    hidden = hidden_candidates(prompt.model_copy(update={"candidates": changed}), holdout_settings(0.25, seed))

    assert hidden == hidden_candidates(prompt, holdout_settings(0.25, seed))


def test_hidden_candidates_depend_on_the_seed_and_on_the_prompt() -> None:
    by_seed = {hidden_candidates(prompt_of(12), holdout_settings(0.25, seed)) for seed in range(20)}
    by_prompt = {hidden_candidates(prompt_of(12, f"p{i}"), holdout_settings(0.25)) for i in range(20)}

    assert len(by_seed) > 15
    assert len(by_prompt) > 15


def test_a_larger_fraction_hides_a_superset() -> None:
    few, many = (hidden_candidates(prompt_of(20), holdout_settings(fraction)) for fraction in (0.1, 0.4))

    assert few < many


def test_every_candidate_is_hidden_about_equally_often() -> None:
    counts = np.zeros(8)
    for seed in range(400):
        for name in hidden_candidates(prompt_of(8), holdout_settings(0.25, seed)):
            counts[int(name[1:])] += 1

    assert counts.sum() == 800
    assert counts.min() > 60
    assert counts.max() < 140


def counted(
    pairs: int, initial: float, best: float, unseen: PairCount = NO_PAIRS, remembered: float = 0
) -> HoldoutCount:
    return HoldoutCount(PairCount(pairs, initial, best), unseen, remembered)


def summary_of(*counts: HoldoutCount) -> PairSummary:
    summary = summarise_holdout(counts)
    assert summary is not None
    return summary.touching


def test_without_hidden_pairs_there_is_no_summary() -> None:
    assert summarise_holdout([]) is None
    assert summarise_holdout([counted(0, 0, 0)]) is None


def test_a_summary_pools_pairs_over_prompts() -> None:
    summary = summary_of(counted(10, 5, 8), counted(30, 15, 18), counted(0, 0, 0))

    assert (summary.prompts, summary.pairs) == (2, 40)
    assert summary.initial.value == pytest.approx(0.5)
    assert summary.best.value == pytest.approx(26 / 40)
    assert summary.gain.value == pytest.approx(6 / 40)


def test_pairs_of_two_hidden_candidates_are_pooled_separately() -> None:
    summary = summarise_holdout([counted(10, 5, 8, PairCount(3, 1, 3), 6), counted(10, 5, 8, NO_PAIRS, 7)])

    assert summary is not None
    assert summary.unseen is not None
    assert (summary.unseen.prompts, summary.unseen.pairs, summary.unseen.best.value) == (1, 3, 1)
    assert summary.remembered == pytest.approx(13 / 20)


def test_without_a_pair_of_two_hidden_candidates_there_is_no_unseen_accuracy() -> None:
    summary = summarise_holdout([counted(10, 5, 8)])

    assert summary is not None
    assert summary.unseen is None


def test_identical_prompts_have_intervals_of_width_zero() -> None:
    summary = summary_of(*[counted(10, 5, 8)] * 5)

    assert summary.best == pytest.approx((0.8, 0.8, 0.8))
    assert summary.gain == pytest.approx((0.3, 0.3, 0.3))


def test_an_interval_covers_the_true_value_in_about_95_percent_of_cases() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        correct_pairs = rng.binomial(10, rng.beta(14, 6, 40))  # 70% on average
        best = summary_of(*(counted(10, 5, float(correct)) for correct in correct_pairs)).best
        covered += best.low <= 0.7 <= best.high

    assert 52 <= covered <= 60


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=10))
def test_an_interval_is_within_the_accuracies_of_the_prompts_or_with_few_prompts_the_complete_range(
    rows: list[tuple[int, float, float]],
) -> None:
    summary = summary_of(*(counted(n, n * initial, n * best) for n, initial, best in rows))

    if len(rows) < MIN_PROMPTS_RESAMPLED:
        assert summary.initial[1:] == summary.best[1:] == (0, 1)
        assert summary.gain[1:] == (-1, 1)
        return
    for interval, shares in [(summary.initial, [r[1] for r in rows]), (summary.best, [r[2] for r in rows])]:
        assert min(shares) - 1e-9 <= interval.low <= interval.high <= max(shares) + 1e-9
        assert min(shares) - 1e-9 <= interval.value <= max(shares) + 1e-9


def test_a_gain_that_all_prompts_share_has_a_narrower_interval_than_the_accuracies() -> None:
    summary = summary_of(*(counted(10, float(correct), float(correct + 1)) for correct in range(9)))

    assert summary.gain.high - summary.gain.low < 1e-9
    assert summary.best.high - summary.best.low > 0.1


def test_the_same_counts_have_the_same_interval() -> None:
    counts = [counted(10, 5, 8), counted(20, 5, 8), counted(5, 1, 2)]

    assert summarise_holdout(counts) == summarise_holdout(counts)


def test_an_interval_is_shown_as_percentages() -> None:
    assert str(summary_of(counted(10, 5, 8)).best) == "80.0% [0.0%, 100.0%]"
    assert summary_of(*[counted(10, 5, 8)] * 5).gain.in_points == "+30.0 [+30.0, +30.0]"
