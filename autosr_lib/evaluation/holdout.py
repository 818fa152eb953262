"""Held-out truth (docs/method.md §5): which candidates are hidden, and pooled accuracies with their intervals."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.settings import HoldoutSettings

MIN_CANDIDATES_TO_HIDE = 4
"""Minimum number of candidates of a prompt from which any are hidden."""
MIN_VISIBLE = 2
"""Minimum number of candidates that stay visible to the search."""
MIN_CANDIDATES_FOR_OWN_FIGURE = 8
"""Minimum number of candidates for which a prompt's own held-out accuracy is shown; below, it counts in the pool only."""
RESAMPLES = 2000
"""Bootstrap resamples behind an interval."""
MIN_PROMPTS_RESAMPLED = 5
"""Minimum number of prompts for a bootstrap; resamples of fewer say nothing about prompts outside the dataset."""


def hidden_candidates(prompt: Prompt, settings: HoldoutSettings) -> frozenset[str]:
    """Return the ids of the candidates that the search may not see.

    The choice depends only on the seed and the ids, so a candidate added elsewhere in the dataset changes nothing.

    >>> from autosr_lib.domain.prompt import Candidate
    >>> candidates = [Candidate(candidate_id=f"c{i}", text="") for i in range(8)]
    >>> sorted(hidden_candidates(Prompt(prompt_id="p1", prompt="Why?", candidates=candidates), HoldoutSettings()))
    ['c0', 'c1']
    """
    n = len(prompt.candidates)
    if settings.holdout_fraction == 0 or n < MIN_CANDIDATES_TO_HIDE:
        return frozenset()
    count = min(max(1, round(settings.holdout_fraction * n)), n - MIN_VISIBLE)

    def order(candidate_id: str) -> bytes:
        text = f"{settings.holdout_seed}\x1f{prompt.prompt_id}\x1f{candidate_id}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    ids = sorted((candidate.candidate_id for candidate in prompt.candidates), key=order)
    return frozenset(ids[:count])


class Interval(NamedTuple):
    """A value and its 95% bootstrap interval over prompts.

    >>> str(Interval(0.7, 0.65, 0.75)), Interval(0.02, -0.01, 0.05).in_points
    ('70.0% [65.0%, 75.0%]', '+2.0 [-1.0, +5.0]')
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"

    @property
    def in_points(self) -> str:
        """Return the interval as text in percentage points, with signs, for a difference of accuracies."""
        return f"{100 * self.value:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


class PairCount(NamedTuple):
    """Pairs of one prompt, and the credit that the initial and the best rubric earn on them; a tie earns half."""

    pairs: int
    initial: float
    best: float


class HoldoutCount(NamedTuple):
    """Held-out pairs of one prompt.

    Most pairs that touch a hidden candidate also contain a visible one, whose label the search used. A rubric that has
    only memorised the visible labels therefore earns credit on them: `remembered`. `unseen` pairs are free of this.
    """

    touching: PairCount
    """Pairs with at least one hidden candidate."""
    unseen: PairCount
    """Pairs of two hidden candidates."""
    remembered: float
    """Credit on the touching pairs that memorised labels of visible candidates would earn."""


class PairSummary(NamedTuple):
    """Pooled accuracy of the initial and the best rubrics on the same pairs, over the prompts that have any."""

    prompts: int
    pairs: int
    initial: Interval
    best: Interval
    gain: Interval
    """Accuracy of the best rubrics minus that of the initial ones."""


class HoldoutSummary(NamedTuple):
    """Held-out accuracy pooled over prompts (docs/method.md §5)."""

    unseen: PairSummary | None
    """Over pairs of two hidden candidates; None if no prompt hides two candidates."""
    touching: PairSummary
    """Over pairs with at least one hidden candidate."""
    remembered: float
    """Accuracy of memorised labels on the touching pairs: visible candidates in their order, hidden ones in the middle."""


def summarise_holdout(counts: Sequence[HoldoutCount], seed: int = 7) -> HoldoutSummary | None:
    """Return the pooled accuracies of many prompts, or None if no pair touches a hidden candidate."""
    touching = summarise_pairs([count.touching for count in counts], seed)
    if touching is None:
        return None
    remembered = sum(count.remembered for count in counts) / touching.pairs
    return HoldoutSummary(summarise_pairs([count.unseen for count in counts], seed), touching, remembered)


def summarise_pairs(counts: Sequence[PairCount], seed: int = 7) -> PairSummary | None:
    """Return the pooled accuracies of the initial and the best rubrics and their difference, or None without pairs.

    Prompts are resampled with replacement 2,000 times. Both rubrics use the same resamples, so the interval of the
    difference is a paired one. With fewer than five prompts each interval is the complete range of possible values.

    >>> summarise_pairs([PairCount(pairs=4, initial=2.0, best=3.0)]).gain
    Interval(value=0.25, low=-1, high=1)
    """
    table = np.array([count for count in counts if count.pairs > 0], dtype=float).reshape(-1, 3)
    if not len(table):
        return None
    pairs, initial, best = table.sum(axis=0).tolist()
    values = initial / pairs, best / pairs, (best - initial) / pairs
    if len(table) < MIN_PROMPTS_RESAMPLED:
        intervals = [Interval(values[0], 0, 1), Interval(values[1], 0, 1), Interval(values[2], -1, 1)]
    else:
        sums = _resampled_sums(table, seed)
        shares = sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0], (sums[:, 2] - sums[:, 1]) / sums[:, 0]
        intervals = [_interval(value, share) for value, share in zip(values, shares, strict=True)]
    return PairSummary(len(table), int(pairs), *intervals)


def _resampled_sums(table: FloatArray, seed: int) -> FloatArray:
    """Return (RESAMPLES, columns): the column sums of each resample of the rows, drawn one by one to save memory."""
    rng, size = np.random.default_rng(seed), len(table)
    return np.stack([np.bincount(rng.integers(0, size, size), minlength=size) @ table for _ in range(RESAMPLES)])


def _interval(value: float, resampled: FloatArray) -> Interval:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(value, float(low), float(high))
