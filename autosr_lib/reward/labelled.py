"""What rubrics are worth on labelled responses: accuracy on pairs, and how each criterion does.

Pairs are kept apart by what the search saw of them, and never mixed: a rubric that remembers is right on what it saw.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import DatasetError
from autosr_lib.evaluation.arrays import BoolArray, FloatArray
from autosr_lib.evaluation.holdout import RESAMPLES, Interval
from autosr_lib.evaluation.objective import PLAIN_TIE_CREDIT, margins, pair_credit, touches_tail
from autosr_lib.evaluation.reference import Reference, build_reference, choose_judge, gather_preferences
from autosr_lib.evaluation.settings import JudgeSetting, ObjectiveSettings, ReferenceSettings
from autosr_lib.reward.exported import Which
from autosr_lib.reward.rubrics import Rubrics, all_of
from autosr_lib.reward.scored import Scored

AT_ONCE = 64
"""Prompts that are under way at once."""
SAME = 1e-9
"""Largest difference of two grades that are the same."""


class Seen(StrEnum):
    """What the search saw of a pair's candidates."""

    NEITHER = "neither"
    """The search saw neither, or hid both: the figure to trust."""
    ONE = "one"
    """It saw one of the two."""
    BOTH = "both"
    """It saw both: what is right here may be remembered."""


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
    """How one criterion did over the responses to its prompt."""

    prompt_id: str
    criterion_id: str
    text: str
    weight: float
    coverage: float
    """Share of responses that it has a grade for."""
    discrimination: float | None
    """Accuracy of its grades alone on the labelled pairs, ties half; None without a pair."""
    agreement: float | None
    """Share of responses on which all votes are equal; None with one vote, or where a measure grades."""
    redundancy: float | None
    """Highest correlation, without its sign, with another criterion of the rubric; None where nothing varies."""


@dataclass(frozen=True)
class Evaluated:
    """What rubrics are worth on a labelled dataset."""

    which: str
    by_seen: dict[str, Accuracy]
    by_source: dict[str, dict[str, Accuracy]]
    """The same for pairs that touch a source; a pair of two sources counts for both."""
    criteria: tuple[CriterionFigures, ...]
    responses: int
    unscored: int
    without_rubric: tuple[str, ...]
    without_labels: tuple[str, ...]
    skew: str | None
    """In what responses were graded otherwise than in the search."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it; an interval is a list of value, low, high."""
        return asdict(self)


@dataclass(frozen=True)
class _Case:
    """One prompt, scored."""

    prompt: Prompt
    reference: Reference
    seen: BoolArray
    scored: Sequence[Scored]
    settings: ObjectiveSettings

    @property
    def scores(self) -> FloatArray:
        return np.array([[np.nan if one.score is None else one.score for one in self.scored]])

    def pairs(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return for each pair: credit, whether it is strictly right, whether it touches the tail, candidates seen."""
        signed = margins(self.scores, self.reference)
        plain = self.settings.model_copy(update={"tie_credit": PLAIN_TIE_CREDIT})
        better, worse = self.reference.better, self.reference.worse
        return {
            "credit": pair_credit(signed, plain)[0],
            "strict": np.nan_to_num(signed[0]) > self.settings.tie_tolerance,
            "tail": touches_tail(self.reference, self.settings),
            "seen": self.seen[better].astype(int) + self.seen[worse].astype(int),
            "better": better,
            "worse": worse,
        }


async def evaluate_rubrics(
    rubrics: Rubrics, prompts: Iterable[Prompt], on_done: Callable[[], None] = lambda: None, seed: int = 7
) -> Evaluated:
    """Return what rubrics are worth on labelled prompts; those without labels or a rubric are named and left out.

    Raises:
        DatasetError: no prompt has both.
        EndpointError: the endpoint will not answer.
        BudgetExhausted: the budget does not reach.
    """
    wanted, no_rubric, no_labels = list[Prompt](), list[str](), list[str]()
    for prompt in prompts:
        if prompt.prompt_id not in rubrics.exported.entries:
            no_rubric.append(prompt.prompt_id)
        elif choose_judge(prompt, JudgeSetting.AUTO) is JudgeSetting.MODEL:
            no_labels.append(prompt.prompt_id)
        else:
            wanted.append(prompt)
    if not wanted:
        said = f"{len(no_rubric)} prompts have no rubric there, {len(no_labels)} have no labels"
        raise DatasetError(rubrics.exported.where, [f"{said}; give a dataset with ranks or qualities for its prompts"])
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(prompt: Prompt) -> _Case:
        async with gate:
            case = await _case(rubrics, prompt)
        on_done()
        return case

    async with rubrics:
        cases = await all_of([one(prompt) for prompt in wanted])
    pooled = [case.pairs() for case in cases]
    sources = sorted({candidate.source for case in cases for candidate in case.prompt.candidates} - {""})
    return Evaluated(
        which=str(rubrics.which),
        by_seen=_by_seen(pooled, [np.ones(len(pairs["credit"]), bool) for pairs in pooled], seed),
        by_source={
            source: _by_seen(pooled, [_touches(case, pairs, source) for case, pairs in zip(cases, pooled, strict=True)], seed)
            for source in sources
        },
        criteria=tuple(figures for case in cases for figures in _criteria(case)),
        responses=sum(len(case.scored) for case in cases),
        unscored=sum(one.score is None for case in cases for one in case.scored),
        without_rubric=tuple(no_rubric),
        without_labels=tuple(no_labels),
        skew=rubrics.skew,
    )  # fmt: skip


async def _case(rubrics: Rubrics, prompt: Prompt) -> _Case:
    entry = rubrics.entry(prompt.prompt_id)
    # The rubric to use had its weights fitted on the hidden candidates too: it has seen them all.
    unseen = frozenset() if rubrics.which is Which.RUBRIC else entry.hidden_candidates
    known = await gather_preferences(prompt, ReferenceSettings(), _nobody())
    return _Case(
        prompt=prompt,
        reference=build_reference(prompt.candidates, known),
        seen=np.array([c.candidate_id in entry.candidate_scores and c.candidate_id not in unseen for c in prompt.candidates]),
        scored=await rubrics.score_batch((prompt.prompt_id, candidate.text) for candidate in prompt.candidates),
        settings=rubrics.exported.settings.objective,
    )  # fmt: skip


def _nobody() -> Any:
    """Return who is asked for preferences where there are labels: nobody."""
    return None


def _touches(case: _Case, pairs: dict[str, np.ndarray[Any, Any]], source: str) -> BoolArray:
    is_of = np.array([candidate.source == source for candidate in case.prompt.candidates])
    return np.asarray(is_of[pairs["better"]] | is_of[pairs["worse"]])


def _by_seen(
    pooled: Sequence[dict[str, np.ndarray[Any, Any]]], kept: Sequence[BoolArray], seed: int
) -> dict[str, Accuracy]:
    found = {}
    for count, seen in enumerate(Seen):
        chosen = [
            {name: values[keep & (pairs["seen"] == count)] for name, values in pairs.items()}
            for pairs, keep in zip(pooled, kept, strict=True)
        ]
        if (accuracy := _accuracy([pairs for pairs in chosen if len(pairs["credit"])], seed)) is not None:
            found[str(seen)] = accuracy
    return found


def _accuracy(chosen: Sequence[dict[str, np.ndarray[Any, Any]]], seed: int) -> Accuracy | None:
    """Return the pooled accuracy over prompts, or None without a pair."""
    if not chosen:
        return None
    plain = np.array([[len(pairs["credit"]), pairs["credit"].sum()] for pairs in chosen], dtype=float)
    tail = np.array([[pairs["tail"].sum(), pairs["strict"][pairs["tail"]].sum()] for pairs in chosen], dtype=float)
    tail = tail[tail[:, 0] > 0]
    return Accuracy(
        prompts=len(chosen),
        pairs=int(plain[:, 0].sum()),
        pair_accuracy=_interval(plain, seed),
        tail_pairs=int(tail[:, 0].sum()),
        tail_accuracy=_interval(tail, seed) if len(tail) else None,
    )


def _interval(counts: FloatArray, seed: int) -> Interval:
    """Return earned over pairs, with its 95% interval; prompts, (pairs, earned) a row, are drawn with replacement."""
    drawn = np.random.default_rng(seed).integers(0, len(counts), size=(RESAMPLES, len(counts)))
    sums = counts[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 1] / sums[:, 0], [0.025, 0.975])
    whole = counts.sum(axis=0)
    return Interval(float(whole[1] / whole[0]), float(low), float(high))


def _criteria(case: _Case) -> Iterable[CriterionFigures]:
    """Yield the figures of every criterion of a prompt's rubric."""
    number = len(case.scored[0].grades)
    grades = np.array([[_or_nan(one.grades[i].grade) for one in case.scored] for i in range(number)])
    plain = case.settings.model_copy(update={"tie_credit": PLAIN_TIE_CREDIT})
    credit = pair_credit(margins(grades, case.reference), plain)
    for i in range(number):
        first = case.scored[0].grades[i]
        votes = [one.grades[i].votes for one in case.scored]
        has_votes = first.measure is None and len(first.votes) > 1
        yield CriterionFigures(
            prompt_id=case.prompt.prompt_id,
            criterion_id=first.criterion_id,
            text=first.text,
            weight=first.weight,
            coverage=float((~np.isnan(grades[i])).mean()),
            discrimination=float(credit[i].mean()) if credit.shape[1] else None,
            agreement=sum(_agree(one) for one in votes) / len(votes) if has_votes else None,
            redundancy=_redundancy(grades, i),
        )


def _or_nan(grade: float | None) -> float:
    return float("nan") if grade is None else grade


def _agree(votes: Sequence[float | None]) -> bool:
    known = [vote for vote in votes if vote is not None]
    return len(known) == len(votes) and max(known) - min(known) <= SAME


def _redundancy(grades: FloatArray, which: int) -> float | None:
    found = []
    for other in range(len(grades)):
        both = ~np.isnan(grades[which]) & ~np.isnan(grades[other])
        one, two = grades[which][both], grades[other][both]
        if other != which and len(one) > 2 and np.ptp(one) > SAME and np.ptp(two) > SAME:
            found.append(abs(float(np.corrcoef(one, two)[0, 1])))
    return max(found, default=None)
