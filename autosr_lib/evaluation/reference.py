"""The reference (docs/method.md §3): preferences between the candidates of a prompt, and the ranking they imply."""

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
    """The raw preferences of one prompt, and where they come from: `rank`, `quality` or `model`."""

    judge: JudgeSetting
    preferences: tuple[Preference, ...]
    calls: int = 0
    """Requests sent to the judge: two per pair, 0 for labels."""
    unjudged: int = 0
    """Pairs left without a preference because a reply could not be read."""

    @property
    def flip_rate(self) -> float | None:
        """Return the share of judged pairs, 0..1, on which the two orders disagree; None without judged pairs."""
        judged = [p for p in self.preferences if p.forward is not None and p.backward is not None]
        return sum(p.is_flip for p in judged) / len(judged) if judged else None


def choose_judge(prompt: Prompt, setting: JudgeSetting) -> JudgeSetting:
    """Return the source of this prompt's preferences; a label is used only if every candidate has it.

    `auto` prefers ranks to qualities, and either to the judge model.

    Raises:
        SettingsError: the setting asks for a label that some candidate lacks.

    >>> from autosr_lib.domain.prompt import Candidate, Prompt
    >>> ranked = [Candidate(candidate_id=f"c{rank}", text="", metadata={"rank": rank}) for rank in (1, 2)]
    >>> choose_judge(Prompt(prompt_id="p1", prompt="Why?", candidates=ranked), JudgeSetting.AUTO)
    <JudgeSetting.RANK: 'rank'>
    """
    has_rank = all(candidate.rank is not None for candidate in prompt.candidates)
    has_quality = all(candidate.quality is not None for candidate in prompt.candidates)
    if setting is JudgeSetting.AUTO:
        return JudgeSetting.RANK if has_rank else JudgeSetting.QUALITY if has_quality else JudgeSetting.MODEL
    if (setting is JudgeSetting.RANK and not has_rank) or (setting is JudgeSetting.QUALITY and not has_quality):
        raise SettingsError(
            f"judge is {setting.value!r}, but not every candidate of prompt {prompt.prompt_id!r} has "
            f"metadata.{setting.value}; allowed here: 'auto', 'model', or a label that all candidates have"
        )
    return setting


async def gather_preferences(prompt: Prompt, settings: ReferenceSettings, judge: Judge) -> PromptPreferences:
    """Return the preferences of a prompt: derived from its labels, or from the judge, which sees both orders.

    If the reply to either order cannot be read, the pair is counted as unjudged and gives no preference.

    Raises:
        SettingsError: the settings ask for a label that some candidate lacks.
        EndpointError: the endpoint does not answer.
    """
    source = choose_judge(prompt, settings.judge)
    if source is not JudgeSetting.MODEL:
        merits = [_label_merit(candidate, source) for candidate in prompt.candidates]
        return PromptPreferences(source, tuple(_label_preferences(prompt.candidates, merits)))
    n = len(prompt.candidates)
    design = pair_design(n, pair_budget(n, settings), prompt.prompt_id)
    judgements = await asyncio.gather(*(_judge_pair(prompt, i, j, judge) for i, j in design))
    preferences = tuple(judgement for judgement in judgements if judgement is not None)
    return PromptPreferences(source, preferences, calls=2 * len(design), unjudged=len(design) - len(preferences))


def pair_budget(n: int, settings: ReferenceSettings) -> int:
    """Return the maximum number of pairs to judge among `n` candidates.

    >>> pair_budget(9, ReferenceSettings(pairs_per_candidate=1.5)), pair_budget(9, ReferenceSettings(max_pairs=12))
    (14, 12)
    """
    return settings.max_pairs or math.ceil(settings.pairs_per_candidate * n)


def _label_merit(candidate: Candidate, source: JudgeSetting) -> float:
    """Return a number that is higher for a better candidate: its quality, or its negated rank."""
    merit = -candidate.rank if source is JudgeSetting.RANK and candidate.rank is not None else candidate.quality
    return float(merit if merit is not None else math.nan)


def _label_preferences(candidates: Sequence[Candidate], merits: Sequence[float]) -> list[Preference]:
    """Return a preference for every pair of candidates, a tie where both have the same merit."""
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
    """Return the judge's preference between candidates `i` and `j`, or None if either reply cannot be read."""
    first, second = prompt.candidates[i], prompt.candidates[j]
    forward_request = JudgeRequest(prompt.prompt_id, prompt.prompt, first.text, second.text)
    backward_request = JudgeRequest(prompt.prompt_id, prompt.prompt, second.text, first.text)
    replies = await asyncio.gather(
        judge.prefer(forward_request), judge.prefer(backward_request), return_exceptions=True
    )
    for reply in replies:
        if isinstance(reply, BaseException) and not isinstance(reply, ReplyError):
            raise reply
    forward, backward = replies
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
    """Return the pairs to judge as positions (i, j), i < j: all pairs, or `budget` of them in a balanced design.

    The candidates are arranged on a circle in an order drawn from `name`. Each candidate is first paired with its
    neighbour, which connects all of them after `n - 1` pairs; then with the candidate 2, 3, … steps away, the step
    lengths in an order drawn from `name`, until the budget is spent. The numbers of pairs of any two candidates differ
    by at most 2.

    >>> pair_design(3, 10, "p1")
    [(0, 1), (0, 2), (1, 2)]
    >>> len(pair_design(9, 12, "p1"))
    12
    """
    if budget >= n * (n - 1) // 2:
        return list(combinations(range(n), 2))
    seed = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    circle = rng.permutation(n).tolist()
    steps = [1, *(rng.permutation(np.arange(2, n // 2 + 1)).tolist())]
    pairs: list[tuple[int, int]] = []
    for step in steps:
        # Halfway round the circle each pair would be listed twice, once from either end.
        distinct_pairs = n // 2 if 2 * step == n else n
        pairs += [(circle[i], circle[(i + step) % n]) for i in range(distinct_pairs)]
        if len(pairs) >= budget:
            break
    return [(min(pair), max(pair)) for pair in pairs[:budget]]


def intransitive_share(preferences: Sequence[Preference]) -> float | None:
    """Return the share of cyclic triples (a beats b, b beats c, c beats a), 0..1; None without complete triples.

    Only triples whose three pairs all have a winner count.

    >>> cycle = [Preference(first=a, second=b, verdict=Verdict.FIRST) for a, b in ("ab", "bc", "ca")]
    >>> intransitive_share(cycle), intransitive_share(cycle[:2])
    (1.0, None)
    """
    ids = sorted({p.first for p in preferences} | {p.second for p in preferences})
    index = {candidate_id: i for i, candidate_id in enumerate(ids)}
    beats = np.zeros((len(ids), len(ids)))
    for p in preferences:
        if p.verdict is not Verdict.TIE:
            winner, loser = (p.first, p.second) if p.verdict is Verdict.FIRST else (p.second, p.first)
            beats[index[winner], index[loser]] = 1
    ordered = beats + beats.T
    # A closed walk of length 3 is a triangle; an undirected one is counted 6 times, a directed cycle 3 times.
    triples = np.trace(ordered @ ordered @ ordered) / 6
    return float(np.trace(beats @ beats @ beats) / 3 / triples) if triples else None


@dataclass(frozen=True)
class Reference:
    """The reference of N candidates: their quantiles, and the P pairs of which one candidate is better."""

    quantiles: FloatArray
    """(N,) 0..1, 1 for the best; tied candidates have the same quantile."""
    better: IntArray
    """(P,) position of the better candidate of each pair."""
    worse: IntArray
    """(P,) position of the worse candidate of each pair."""
    is_diverse: BoolArray
    """(P,) whether the two candidates come from different sources."""

    def tail(self, tail_fraction: float) -> BoolArray:
        """Return (N,) whether a candidate is in the tail, the best `tail_fraction`; ties at the border are included."""
        if not len(self.quantiles):
            return np.zeros(0, dtype=bool)
        lowest = np.sort(self.quantiles)[-tail_size(len(self.quantiles), tail_fraction)]
        return np.asarray(self.quantiles >= lowest)


def tail_size(n: int, tail_fraction: float) -> int:
    """Return how many of `n` candidates form the tail: at least 2, at most `n` (docs/method.md §4).

    >>> tail_size(16, 0.25), tail_size(4, 0.25), tail_size(1, 0.25)
    (4, 2, 1)
    """
    return min(n, max(2, math.ceil(tail_fraction * n)))


def build_reference(candidates: Sequence[Candidate], preferences: PromptPreferences) -> Reference:
    """Return the reference over these candidates alone; preferences that involve other candidates are ignored.

    Quantiles come from the number of wins for labels, which cover all pairs, and from a Bradley-Terry fit for judged
    pairs, which may cover only some.

    >>> candidates = [Candidate(candidate_id=name, text="") for name in "ab"]
    >>> preference = Preference(first="a", second="b", verdict=Verdict.SECOND)
    >>> build_reference(candidates, PromptPreferences(JudgeSetting.RANK, (preference,))).quantiles.tolist()
    [0.0, 1.0]
    """
    index = {candidate.candidate_id: i for i, candidate in enumerate(candidates)}
    relevant = [p for p in preferences.preferences if p.first in index and p.second in index]
    first = np.array([index[p.first] for p in relevant], dtype=np.int64)
    second = np.array([index[p.second] for p in relevant], dtype=np.int64)
    outcome = np.array([_CREDIT[p.verdict] for p in relevant], dtype=float)
    n = len(candidates)
    if preferences.judge is JudgeSetting.MODEL:
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
"""What each verdict earns the first candidate of a pair."""


def mid_rank_quantiles(merit: FloatArray) -> FloatArray:
    """Return (n,) quantiles `u = (mid-rank - 1)/(n - 1)`, 1 for the highest merit; ties share their mean rank.

    A single candidate has quantile 1.

    >>> mid_rank_quantiles(np.array([3.0, 1.0, 3.0])).tolist()
    [0.75, 0.0, 0.75]
    """
    n = len(merit)
    if n < 2:
        return np.ones(n)
    # Fitted strengths of candidates with equal records differ in their last digits.
    rounded = np.round(merit, 9)
    lower = (rounded[:, None] > rounded[None, :]).sum(axis=1)
    equal = (rounded[:, None] == rounded[None, :]).sum(axis=1)
    return np.asarray((lower + (equal - 1) / 2) / (n - 1))
