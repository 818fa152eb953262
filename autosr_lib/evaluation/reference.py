"""The reference (docs/method.md §3): what is held as true about the candidates of a prompt."""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.errors import ReplyError, SettingsError
from autosr_lib.evaluation.arrays import BoolArray, FloatArray, IntArray
from autosr_lib.evaluation.bradley_terry import fit_strengths
from autosr_lib.evaluation.roles import Judge, JudgeRequest
from autosr_lib.evaluation.settings import JudgeSetting, ReferenceSettings


@dataclass(frozen=True)
class PromptPreferences:
    """The raw preferences of one prompt, and who gave them: `rank`, `quality` or `model`."""

    judge: JudgeSetting
    preferences: tuple[Preference, ...]
    calls: int = 0
    unjudged: int = 0

    @property
    def flip_rate(self) -> float | None:
        """Return the share of judged pairs on which the two orders disagree, or None for labels."""
        judged = [p for p in self.preferences if p.forward is not None and p.backward is not None]
        return sum(p.is_flip for p in judged) / len(judged) if judged else None


def choose_judge(prompt: Prompt, setting: JudgeSetting) -> JudgeSetting:
    """Return where the preferences of this prompt come from; labels count only when every candidate has one.

    Raises:
        SettingsError: the setting asks for labels that the prompt does not have.
    """
    has_rank = all(candidate.rank is not None for candidate in prompt.candidates)
    has_quality = all(candidate.quality is not None for candidate in prompt.candidates)
    if setting is JudgeSetting.AUTO:
        return JudgeSetting.RANK if has_rank else JudgeSetting.QUALITY if has_quality else JudgeSetting.MODEL
    if (setting is JudgeSetting.RANK and not has_rank) or (setting is JudgeSetting.QUALITY and not has_quality):
        raise SettingsError(
            f"judge is {setting.value!r}, but not every candidate of prompt {prompt.prompt_id!r} has "
            f"metadata.{setting.value}; allowed here: 'auto', 'model', or a label that all have"
        )
    return setting


async def gather_preferences(prompt: Prompt, settings: ReferenceSettings, judge: Judge) -> PromptPreferences:
    """Return the preferences of a prompt: read from its labels, or asked of the judge in both orders.

    A pair on which either order cannot be read stays unjudged: it is counted, and is no preference.
    """
    source = choose_judge(prompt, settings.judge)
    if source is not JudgeSetting.MODEL:
        merits = [_merit(candidate, source) for candidate in prompt.candidates]
        return PromptPreferences(source, tuple(_labelled(prompt.candidates, merits)))
    n = len(prompt.candidates)
    design = pair_design(n, pair_budget(n, settings), prompt.prompt_id)
    judged = await asyncio.gather(*(_judge_pair(prompt, i, j, judge) for i, j in design))
    known = tuple(preference for preference in judged if preference is not None)
    return PromptPreferences(source, known, calls=2 * len(design), unjudged=len(judged) - len(known))


def pair_budget(n: int, settings: ReferenceSettings) -> int:
    """Return the most pairs of `n` candidates that are judged."""
    return settings.max_pairs or math.ceil(settings.pairs_per_candidate * n)


def _merit(candidate: Candidate, source: JudgeSetting) -> float:
    merit = -candidate.rank if source is JudgeSetting.RANK and candidate.rank is not None else candidate.quality
    return float(merit if merit is not None else math.nan)


def _labelled(candidates: Sequence[Candidate], merits: Sequence[float]) -> list[Preference]:
    return [
        Preference(
            first=candidates[i].candidate_id,
            second=candidates[j].candidate_id,
            verdict=Verdict.TIE
            if merits[i] == merits[j]
            else Verdict.FIRST
            if merits[i] > merits[j]
            else Verdict.SECOND,
        )
        for i, j in combinations(range(len(candidates)), 2)
    ]


async def _judge_pair(prompt: Prompt, i: int, j: int, judge: Judge) -> Preference | None:
    first, second = prompt.candidates[i], prompt.candidates[j]
    shown_forward = JudgeRequest(prompt.prompt_id, prompt.prompt, first.text, second.text)
    shown_backward = JudgeRequest(prompt.prompt_id, prompt.prompt, second.text, first.text)
    answers = await asyncio.gather(judge.prefer(shown_forward), judge.prefer(shown_backward), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, ReplyError):
            raise answer
    forward, backward = answers
    if isinstance(forward, BaseException) or isinstance(backward, BaseException):
        return None
    backward = backward.swapped
    return Preference(
        first=first.candidate_id,
        second=second.candidate_id,
        verdict=forward if forward is backward else Verdict.TIE,
        forward=forward,
        backward=backward,
    )


def pair_design(n: int, budget: int, name: str) -> list[tuple[int, int]]:
    """Return the pairs of `n` candidates to be judged: all, or `budget` of them in a connected, balanced design.

    The candidates stand on a circle in an order drawn from `name`; first each is paired with its neighbour (`n - 1`
    pairs connect all), then with the one some steps on, until the budget is spent. How often two candidates are judged
    differs by at most 2.
    """
    if budget >= n * (n - 1) // 2:
        return list(combinations(range(n), 2))
    seed = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    circle = rng.permutation(n).tolist()
    steps = [1, *(rng.permutation(np.arange(2, n // 2 + 1)).tolist())]
    pairs: list[tuple[int, int]] = []
    for step in steps:
        reach = n // 2 if 2 * step == n else n
        pairs += [(circle[i], circle[(i + step) % n]) for i in range(reach)]
        if len(pairs) >= budget:
            break
    return [(min(pair), max(pair)) for pair in pairs[:budget]]


def intransitive_share(preferences: Sequence[Preference]) -> float | None:
    """Return the share of cycles among the triples whose three pairs are all ordered, or None without such triples."""
    ids = sorted({p.first for p in preferences} | {p.second for p in preferences})
    index = {candidate_id: i for i, candidate_id in enumerate(ids)}
    beats = np.zeros((len(ids), len(ids)))
    for p in preferences:
        if p.verdict is not Verdict.TIE:
            winner, loser = (p.first, p.second) if p.verdict is Verdict.FIRST else (p.second, p.first)
            beats[index[winner], index[loser]] = 1
    ordered = beats + beats.T
    triples = np.trace(ordered @ ordered @ ordered) / 6
    return float(np.trace(beats @ beats @ beats) / 3 / triples) if triples else None


@dataclass(frozen=True)
class Reference:
    """What is true of N candidates: their quantiles, and the P pairs that are ordered."""

    quantiles: FloatArray
    """(N,) 0..1, 1 the best; ties share."""
    better: IntArray
    """(P,) index of each pair's better candidate."""
    worse: IntArray
    """(P,) index of the other."""
    is_diverse: BoolArray
    """(P,) whether the two come from different sources."""

    def tail(self, tail_fraction: float) -> BoolArray:
        """Return (N,) whether a candidate is in the reference tail; those tied with its last member are in it too."""
        if not len(self.quantiles):
            return np.zeros(0, dtype=bool)
        last = np.sort(self.quantiles)[-tail_size(len(self.quantiles), tail_fraction)]
        return np.asarray(self.quantiles >= last)


def tail_size(n: int, tail_fraction: float) -> int:
    """Return how many of `n` candidates form the tail: at least 2, at most `n` (docs/method.md §4)."""
    return min(n, max(2, math.ceil(tail_fraction * n)))


def build_reference(candidates: Sequence[Candidate], known: PromptPreferences) -> Reference:
    """Return the reference over just these candidates; preferences that touch others are not used.

    Labels give quantiles by counting wins; judged pairs by a Bradley-Terry fit, since not every pair was judged.
    """
    index = {candidate.candidate_id: i for i, candidate in enumerate(candidates)}
    inside = [p for p in known.preferences if p.first in index and p.second in index]
    first = np.array([index[p.first] for p in inside], dtype=np.int64)
    second = np.array([index[p.second] for p in inside], dtype=np.int64)
    outcome = np.array([_CREDIT[p.verdict] for p in inside], dtype=float)
    n = len(candidates)
    if known.judge is JudgeSetting.MODEL:
        merit = fit_strengths(n, first, second, outcome)
    else:
        merit = np.asarray(np.bincount(first, outcome, n) + np.bincount(second, 1 - outcome, n), dtype=float)
    is_ordered = outcome != _CREDIT[Verdict.TIE]
    is_first = outcome[is_ordered] == 1
    better = np.where(is_first, first[is_ordered], second[is_ordered])
    worse = np.where(is_first, second[is_ordered], first[is_ordered])
    sources = np.array([candidate.source for candidate in candidates], dtype=object)
    return Reference(
        mid_rank_quantiles(merit), better, worse, np.asarray(sources[better] != sources[worse], dtype=bool)
    )


_CREDIT = {Verdict.FIRST: 1.0, Verdict.TIE: 0.5, Verdict.SECOND: 0.0}


def mid_rank_quantiles(merit: FloatArray) -> FloatArray:
    """Return `u = (mid-rank - 1)/(n - 1)` of each merit, 1 the best, ties share it; 1 for a lone candidate."""
    n = len(merit)
    if n < 2:
        return np.ones(n)
    # Fitted strengths of candidates that are alike differ in their last digits.
    rounded = np.round(merit, 9)
    below = (rounded[:, None] > rounded[None, :]).sum(axis=1)
    level = (rounded[:, None] == rounded[None, :]).sum(axis=1)
    return np.asarray((below + (level - 1) / 2) / (n - 1))
