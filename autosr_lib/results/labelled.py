"""How well rubrics order labelled responses: the arithmetic of `autosr eval`.

Pairs are grouped by how many of their two candidates the search saw, and the groups are never pooled: on a pair that
the search saw, a rubric can be right because its weights were fitted to that pair (docs/method.md §5).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from autosr_lib.evaluation.arrays import BoolArray, FloatArray, IntArray
from autosr_lib.evaluation.holdout import RESAMPLES, Interval
from autosr_lib.evaluation.objective import PLAIN_TIE_CREDIT, margins, pair_credit, touches_tail
from autosr_lib.evaluation.reference import Reference
from autosr_lib.evaluation.settings import ObjectiveSettings

SEED = 7
"""Seed of the bootstrap intervals."""
GRADE_TOLERANCE = 1e-9
"""Largest difference between two grades that count as equal."""


class Seen(StrEnum):
    """How many candidates of a pair the search saw; the members are in the order 0, 1, 2."""

    NEITHER = "neither"
    """The search saw neither candidate, or hid both: the accuracy to trust."""
    ONE = "one"
    """The search saw one candidate."""
    BOTH = "both"
    """The search saw both candidates: a rubric may only remember them."""


@dataclass(frozen=True)
class CriterionGrades:
    """One criterion of a rubric, with its grades on all N responses to the prompt."""

    criterion_id: str
    text: str
    weight: float
    """Share of the rubric, 0..1."""
    is_measured: bool
    """Whether a function grades the criterion, so that all votes are equal."""
    grades: FloatArray
    """(N,) grades in 0..1, NaN where ungraded or not applicable."""
    votes: Sequence[Sequence[float | None]]
    """The votes on each response."""


@dataclass(frozen=True)
class LabelledScores:
    """The scores and the labels of one prompt's N responses."""

    prompt_id: str
    sources: Sequence[str]
    """The source of each response, "" if unknown."""
    reference: Reference
    """The order that the labels give."""
    is_seen: BoolArray
    """(N,) whether the search saw the response."""
    scores: FloatArray
    """(N,) scores in 0..1, NaN where unscored."""
    criteria: Sequence[CriterionGrades]
    objective: ObjectiveSettings
    """The tail and the tolerance of ties, as in the search."""


@dataclass(frozen=True)
class Accuracy:
    """How often rubrics order a group of labelled pairs as the labels do."""

    prompts: int
    pairs: int
    pair_accuracy: Interval
    """A tie or an unscored response earns half."""
    tail_pairs: int
    tail_accuracy: Interval | None
    """Over pairs that touch the best quarter; a tie is wrong. None without such a pair."""


@dataclass(frozen=True)
class CriterionFigures:
    """Figures of one criterion over the responses to its prompt."""

    prompt_id: str
    criterion_id: str
    text: str
    weight: float
    coverage: float
    """Share of responses that have a grade."""
    discrimination: float | None
    """Pair accuracy of the criterion's grades alone, a tie counts half; None without a pair."""
    agreement: float | None
    """Share of responses on which all votes are equal; None with one vote, or for a measured criterion."""
    redundancy: float | None
    """Largest absolute correlation with another criterion of the rubric; None if no grades vary."""


@dataclass(frozen=True)
class LabelledEvaluation:
    """Accuracy of the rubrics of an export on a labelled dataset; the field names are the keys of `--json`."""

    which: str
    """Which rubric of each prompt was evaluated."""
    by_seen: dict[str, Accuracy]
    """By `Seen`; a group without pairs is missing."""
    by_source: dict[str, dict[str, Accuracy]]
    """By source and `Seen`, for pairs that touch the source; a pair of two sources counts for both."""
    criteria: tuple[CriterionFigures, ...]
    responses: int
    unscored: int
    without_rubric: tuple[str, ...]
    """Ids of prompts that were left out because the export has no rubric for them."""
    without_labels: tuple[str, ...]
    """Ids of prompts that were left out because not every candidate has a label."""
    skew: str | None
    """How grading differed from the search; None if it did not."""

    def as_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON values; an interval is a list of value, low and high."""
        return asdict(self)


def accuracy_by_seen(prompts: Sequence[LabelledScores], seed: int = SEED) -> dict[str, Accuracy]:
    """Return the accuracy for each value of `Seen` that has pairs, pooled over prompts.

    >>> first, second = np.array([0]), np.array([1])
    >>> reference = Reference(np.array([1.0, 0.0]), better=first, worse=second, is_diverse=np.array([True]))
    >>> seen, scores = np.array([True, False]), np.array([0.8, 0.3])
    >>> prompt = LabelledScores("p1", ["a", "b"], reference, seen, scores, [], ObjectiveSettings())
    >>> {group: accuracy.pair_accuracy.value for group, accuracy in accuracy_by_seen([prompt]).items()}
    {'one': 1.0}
    """
    return _by_seen([_pairs(prompt) for prompt in prompts], seed)


def accuracy_by_source(prompts: Sequence[LabelledScores], seed: int = SEED) -> dict[str, dict[str, Accuracy]]:
    """Return `accuracy_by_seen` over the pairs that touch each source, in the order of the sources' names."""
    sources = sorted({source for prompt in prompts for source in prompt.sources} - {""})
    all_pairs = [_pairs(prompt) for prompt in prompts]
    return {
        source: _by_seen(
            [
                pairs.where(_touches_source(prompt, source))
                for prompt, pairs in zip(prompts, all_pairs, strict=True)
            ],
            seed,
        )
        for source in sources
    }  # fmt: skip


def criterion_figures(prompt: LabelledScores) -> Iterator[CriterionFigures]:
    """Yield the figures of each criterion of a prompt's rubric, in the order of the rubric."""
    grades = np.array([criterion.grades for criterion in prompt.criteria])
    credit = pair_credit(margins(grades, prompt.reference), _plain(prompt.objective))
    for i, criterion in enumerate(prompt.criteria):
        has_votes = not criterion.is_measured and len(criterion.votes[0]) > 1
        yield CriterionFigures(
            prompt_id=prompt.prompt_id,
            criterion_id=criterion.criterion_id,
            text=criterion.text,
            weight=criterion.weight,
            coverage=float((~np.isnan(criterion.grades)).mean()),
            discrimination=float(credit[i].mean()) if credit.shape[1] else None,
            agreement=sum(map(_is_unanimous, criterion.votes)) / len(criterion.votes) if has_votes else None,
            redundancy=largest_correlation(grades, i),
        )


def largest_correlation(grades: FloatArray, row: int) -> float | None:
    """Return the largest absolute correlation of a row with another row, or None if there is none to compute.

    Rows are compared where both have a grade; a pair of rows counts if more than two such grades vary in both.

    >>> largest_correlation(np.array([[0.0, 0.5, 1.0], [0.9, 0.5, 0.1], [0.5, 0.5, 0.5]]), 0)
    1.0
    >>> largest_correlation(np.array([[0.0, 0.5, 1.0], [0.5, 0.5, 0.5]]), 0) is None
    True
    """
    correlations = []
    for i in range(len(grades)):
        is_graded = ~np.isnan(grades[row]) & ~np.isnan(grades[i])
        left, right = grades[row][is_graded], grades[i][is_graded]
        if i != row and len(left) > 2 and np.ptp(left) > GRADE_TOLERANCE and np.ptp(right) > GRADE_TOLERANCE:
            correlations.append(abs(float(np.corrcoef(left, right)[0, 1])))
    return max(correlations, default=None)


@dataclass(frozen=True)
class _Pairs:
    """The pairs of one prompt that the labels order; every array is (P,)."""

    credit: FloatArray
    """1 for the order of the labels, 0.5 for a tie or an unscored response, else 0."""
    is_right: BoolArray
    """Whether the scores have the order of the labels; a tie has not."""
    touches_tail: BoolArray
    seen: IntArray
    """How many of the two candidates the search saw."""

    def __len__(self) -> int:
        return len(self.credit)

    def where(self, is_kept: BoolArray) -> "_Pairs":
        """Return the pairs for which `is_kept` is true."""
        return _Pairs(
            self.credit[is_kept], self.is_right[is_kept], self.touches_tail[is_kept], self.seen[is_kept]
        )  # fmt: skip


def _pairs(prompt: LabelledScores) -> _Pairs:
    reference, settings = prompt.reference, prompt.objective
    signed_margins = margins(prompt.scores[None, :], reference)
    return _Pairs(
        credit=pair_credit(signed_margins, _plain(settings))[0],
        is_right=np.nan_to_num(signed_margins[0]) > settings.tie_tolerance,
        touches_tail=touches_tail(reference, settings),
        seen=prompt.is_seen[reference.better].astype(int) + prompt.is_seen[reference.worse].astype(int),
    )


def _plain(settings: ObjectiveSettings) -> ObjectiveSettings:
    """Return the settings with the tie credit of accuracies that are shown."""
    return settings.model_copy(update={"tie_credit": PLAIN_TIE_CREDIT})


def _touches_source(prompt: LabelledScores, source: str) -> BoolArray:
    """Return (P,) whether a candidate of the pair comes from the source."""
    has_source = np.array([name == source for name in prompt.sources])
    return np.asarray(has_source[prompt.reference.better] | has_source[prompt.reference.worse])


def _by_seen(pairs_by_prompt: Sequence[_Pairs], seed: int) -> dict[str, Accuracy]:
    accuracies = {}
    for count, group in enumerate(Seen):
        selected = [pairs.where(pairs.seen == count) for pairs in pairs_by_prompt]
        if non_empty := [pairs for pairs in selected if len(pairs)]:
            accuracies[str(group)] = _accuracy(non_empty, seed)
    return accuracies


def _accuracy(pairs_by_prompt: Sequence[_Pairs], seed: int) -> Accuracy:
    """Return the accuracy pooled over prompts, each of which has a pair."""
    counts = np.array([[len(pairs), pairs.credit.sum()] for pairs in pairs_by_prompt], dtype=float)
    tail = np.array(
        [[pairs.touches_tail.sum(), pairs.is_right[pairs.touches_tail].sum()] for pairs in pairs_by_prompt], dtype=float
    )
    tail = tail[tail[:, 0] > 0]
    return Accuracy(
        prompts=len(counts),
        pairs=int(counts[:, 0].sum()),
        pair_accuracy=_interval(counts, seed),
        tail_pairs=int(tail[:, 0].sum()),
        tail_accuracy=_interval(tail, seed) if len(tail) else None,
    )


def _interval(counts: FloatArray, seed: int) -> Interval:
    """Return the share of pairs that are right and its 95% bootstrap interval over prompts.

    Args:
        counts: (prompts, 2) the pairs of each prompt and the credit earned on them.
        seed: of the resamples.
    """
    rows = np.random.default_rng(seed).integers(0, len(counts), size=(RESAMPLES, len(counts)))
    pairs, credit = counts[rows].sum(axis=1).T
    low, high = np.quantile(credit / pairs, [0.025, 0.975])
    total_pairs, total_credit = counts.sum(axis=0)
    return Interval(float(total_credit / total_pairs), float(low), float(high))


def _is_unanimous(votes: Sequence[float | None]) -> bool:
    """Return whether there are only grades, all equal."""
    grades = [vote for vote in votes if vote is not None]
    return len(grades) == len(votes) and max(grades) - min(grades) <= GRADE_TOLERANCE
