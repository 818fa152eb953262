"""Held-out truth (docs/method.md §5): which candidates are hidden, and what a pooled accuracy is worth."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.settings import HoldoutSettings

FEWEST_CANDIDATES = 4
"""Prompts with fewer candidates hide none."""
FEWEST_VISIBLE = 2
OWN_FIGURE = 8
"""Prompts with fewer candidates have no held-out figure of their own."""
RESAMPLES = 2000
FEWEST_RESAMPLED = 5
"""Fewer prompts, resampled, say nothing of other prompts: of two that agree, every resample does."""


def hidden_candidates(prompt: Prompt, settings: HoldoutSettings) -> frozenset[str]:
    """Return the ids of the candidates that the search may not see."""
    n = len(prompt.candidates)
    if settings.holdout_fraction == 0 or n < FEWEST_CANDIDATES:
        return frozenset()
    count = min(max(1, round(settings.holdout_fraction * n)), n - FEWEST_VISIBLE)

    def order(candidate_id: str) -> bytes:
        text = f"{settings.holdout_seed}\x1f{prompt.prompt_id}\x1f{candidate_id}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    ids = sorted((candidate.candidate_id for candidate in prompt.candidates), key=order)
    return frozenset(ids[:count])


class Interval(NamedTuple):
    """A figure and its 95% bootstrap interval over prompts."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}]"

    @property
    def in_points(self) -> str:
        """Return a difference of accuracies in percentage points."""
        return f"{100 * self.value:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


class PairCount(NamedTuple):
    """Pairs of one prompt, and the credit that two rubrics earn on them (a rubric's tie earns half)."""

    pairs: int
    initial: float
    best: float


class HoldoutCount(NamedTuple):
    """What was held out of one prompt: the pairs that touch a hidden candidate, and those of two hidden candidates.

    Most pairs that touch a hidden candidate have a visible one beside it, whose label the search knew: a rubric that
    only remembers the visible labels, and knows nothing of hidden candidates, earns `remembered` on them. Only
    `unseen` is free of that.
    """

    touching: PairCount
    unseen: PairCount
    remembered: float


class PairSummary(NamedTuple):
    """Pooled accuracy over the prompts that have such pairs, best and initial on the same ones."""

    prompts: int
    pairs: int
    initial: Interval
    best: Interval
    gain: Interval


class HoldoutSummary(NamedTuple):
    """Pooled held-out accuracy."""

    unseen: PairSummary | None
    """Over pairs of two hidden candidates; None without such a pair, as with one hidden candidate a prompt."""
    touching: PairSummary
    """Over pairs that touch a hidden candidate (docs/method.md §5)."""
    remembered: float
    """Accuracy on these of the visible labels alone: each visible candidate in its place, the hidden in the middle."""


def summarise_holdout(counts: Sequence[HoldoutCount], seed: int = 7) -> HoldoutSummary | None:
    """Return the pooled figures of many prompts, or None when no pair touches a hidden candidate."""
    touching = summarise_pairs([count.touching for count in counts], seed)
    if touching is None:
        return None
    remembered = sum(count.remembered for count in counts) / touching.pairs
    return HoldoutSummary(summarise_pairs([count.unseen for count in counts], seed), touching, remembered)


def summarise_pairs(counts: Sequence[PairCount], seed: int = 7) -> PairSummary | None:
    """Return the pooled accuracy of two rubrics a prompt, and of their difference, or None without a pair.

    Prompts are resampled with replacement 2,000 times, both rubrics on the same resamples, so that the difference's
    interval is a paired one. Of fewer than five prompts, the intervals are all that is possible.
    """
    table = np.array([count for count in counts if count.pairs > 0], dtype=float).reshape(-1, 3)
    if not len(table):
        return None
    pairs, initial, best = table.sum(axis=0).tolist()
    values = initial / pairs, best / pairs, (best - initial) / pairs
    if len(table) < FEWEST_RESAMPLED:
        intervals = [Interval(values[0], 0, 1), Interval(values[1], 0, 1), Interval(values[2], -1, 1)]
    else:
        sums = _resampled(table, seed)
        shares = sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0], (sums[:, 2] - sums[:, 1]) / sums[:, 0]
        intervals = [_interval(value, share) for value, share in zip(values, shares, strict=True)]
    return PairSummary(len(table), int(pairs), *intervals)


def _resampled(table: FloatArray, seed: int) -> FloatArray:
    """Return the sums of the columns of each resample of the rows; one is drawn at a time, for memory."""
    rng, size = np.random.default_rng(seed), len(table)
    return np.stack([np.bincount(rng.integers(0, size, size), minlength=size) @ table for _ in range(RESAMPLES)])


def _interval(value: float, resampled: FloatArray) -> Interval:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(value, float(low), float(high))
