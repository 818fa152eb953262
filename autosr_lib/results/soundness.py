"""Faults of stored rows: each function returns a sentence about the fault of a prompt, or None if it has none."""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.holdout import PairCount, hidden_candidates
from autosr_lib.evaluation.reference import (
    PromptPreferences,
    choose_judge,
    intransitive_share,
)
from autosr_lib.evaluation.settings import HoldoutSettings, JudgeSetting, ReferenceSettings
from autosr_lib.search.probing import ProbeResult
from autosr_lib.storage.tables.best_rubrics import BestRubricRow
from autosr_lib.storage.tables.structs import RubricRows

MOST_FLIPS = 0.3
"""Highest tolerated flip rate: beyond it a judge mostly answers by position."""
MOST_INTRANSITIVE = 0.1
"""Highest tolerated share of cycles, beyond which preferences have little order; random answers have 0.25."""
WEIGHT_TOLERANCE = 1e-6
OBJECTIVE_TOLERANCE = 1e-9


def repeated_text_fault(prompt: Prompt) -> str | None:
    """Return which candidates of a prompt have the same text.

    >>> from autosr_lib.domain.prompt import Candidate
    >>> a, b = Candidate(candidate_id="a", text="yes"), Candidate(candidate_id="b", text="yes ")
    >>> repeated_text_fault(Prompt(prompt_id="p", prompt="?", candidates=(a, b)))
    "'b' has the text of 'a'"
    """
    first_with_text: dict[str, str] = {}
    for candidate in prompt.candidates:
        first = first_with_text.setdefault(candidate.text.strip(), candidate.candidate_id)
        if first != candidate.candidate_id:
            return f"{candidate.candidate_id!r} has the text of {first!r}"
    return None


def tail_fault(prompt: Prompt, holdout: HoldoutSettings, reference: ReferenceSettings) -> str | None:
    """Return why the search cannot order a tail: fewer than two visible candidates differ in text and label."""
    hidden = hidden_candidates(prompt, holdout)
    visible = [candidate for candidate in prompt.candidates if candidate.candidate_id not in hidden]
    if len({candidate.text.strip() for candidate in visible}) < 2:
        return f"its {len(visible)} visible candidates are one text; at least 2 make a tail"
    judge = choose_judge(prompt, reference.judge)
    if judge is JudgeSetting.MODEL:
        return None
    labels = {candidate.rank if judge is JudgeSetting.RANK else candidate.quality for candidate in visible}
    return f"its {len(visible)} visible candidates share one {judge.value}" if len(labels) < 2 else None


@dataclass
class Consistency:
    """Counts contradictions in the preferences of many prompts."""

    judged: int = 0
    """Pairs that were judged in both orders."""
    flips: int = 0
    """Those of them on which the two orders disagree."""
    shares: list[float] = field(default_factory=list)
    """Intransitive share of each prompt that has triples."""

    def add(self, preferences: PromptPreferences) -> str | None:
        """Count a prompt's preferences and return their fault, if they have one."""
        judged = sum(p.forward is not None and p.backward is not None for p in preferences.preferences)
        self.judged += judged
        self.flips += sum(p.is_flip for p in preferences.preferences)
        share = intransitive_share(preferences.preferences)
        if share is not None:
            self.shares.append(share)
        if preferences.flip_rate is not None and preferences.flip_rate > MOST_FLIPS:
            return f"{preferences.flip_rate:.0%} of {judged} judged pairs flip with their order"
        if share is not None and share > MOST_INTRANSITIVE:
            return f"{share:.0%} of its triples are cycles"
        return None

    @property
    def flip_rate(self) -> float | None:
        """Return the share of all judged pairs that flip, or None for labels.

        >>> Consistency(judged=4, flips=1).flip_rate
        0.25
        """
        return self.flips / self.judged if self.judged else None

    @property
    def intransitive_share(self) -> float | None:
        """Return the mean share of cycles over prompts, or None without triples."""
        return math.fsum(self.shares) / len(self.shares) if self.shares else None

    @property
    def is_consistent(self) -> bool:
        """Return whether both figures are within their limits over all prompts; one prompt has too few pairs."""
        return (self.flip_rate or 0) <= MOST_FLIPS and (self.intransitive_share or 0) <= MOST_INTRANSITIVE


def rubric_fault(row: BestRubricRow) -> str | None:
    """Return what makes one of a row's rubrics unusable: no criteria, repeated ids, or weights that do not sum to 1."""
    for name in ("rubric", "measured_rubric", "initial_rubric"):
        if (fault := criteria_fault(getattr(row, name))) is not None:
            return f"{name}: {fault}"
    return None


def criteria_fault(criteria: RubricRows) -> str | None:
    """Return what makes a stored rubric unusable.

    >>> criteria_fault(())
    'has no criteria'
    """
    ids = [criterion.criterion_id for criterion in criteria]
    weights = [criterion.weight for criterion in criteria]
    if not criteria:
        return "has no criteria"
    if repeated := sorted({criterion_id for criterion_id in ids if ids.count(criterion_id) > 1}):
        return f"criterion ids {repeated} repeat"
    if blank := [criterion.criterion_id for criterion in criteria if not (criterion.text or "").strip()]:
        return f"criteria {blank} have no text"
    if any(weight is None or not 0 <= weight <= 1 for weight in weights):
        return f"weights {weights} are not all between 0 and 1"
    if abs(math.fsum(weights) - 1) > WEIGHT_TOLERANCE:
        return f"weights sum to {math.fsum(weights):.6g}, not 1"
    return None


def objective_fault(best: float | None, initial: float | None) -> str | None:
    """Return whether the measured rubric's objective is below that of the first rubric, on the search's pairs.

    >>> objective_fault(0.5, 0.75)
    "objective 0.5000, the first rubric's 0.7500"
    """
    if best is None or initial is None or best >= initial - OBJECTIVE_TOLERANCE:
        return None
    return f"objective {best:.4f}, the first rubric's {initial:.4f}"


def holdout_fault(unseen: PairCount) -> str | None:
    """Return whether the best rubric orders fewer pairs of two hidden candidates correctly than the first rubric.

    >>> holdout_fault(PairCount(pairs=3, initial=2.5, best=1.0))
    '1 of 3 pairs, the first rubric 2.5'
    """
    if unseen.best >= unseen.initial:
        return None
    return f"{unseen.best:g} of {unseen.pairs} pairs, the first rubric {unseen.initial:g}"


def gamed_fault(row: BestRubricRow) -> str | None:
    """Return which variants of good responses score higher than the responses, though they are no better."""
    if not row.gamed_by:
        return None
    rises = defaultdict[str, list[float]](list)
    for probed in row.probes:
        if (rise := probe_rise(probed)) is not None:
            rises[probed.probe].append(rise)
    means = (f"{probe} {math.fsum(rises[probe]) / len(rises[probe]):+.2f}" for probe in row.gamed_by)
    return f"its scores rise on responses made no better: {', '.join(means)}"


def length_fault(*, score_follows_length: bool, criteria_follow_length: tuple[str, ...]) -> str | None:
    """Return which parts of a rubric mainly reward the length of the texts.

    >>> length_fault(score_follows_length=False, criteria_follow_length=("c1",))
    'the grades of c1 follow the length of the texts, which the reference does not'
    """
    subjects = ["its scores"] if score_follows_length else []
    if criteria_follow_length:
        subjects.append(f"the grades of {', '.join(criteria_follow_length)}")
    if not subjects:
        return None
    return f"{' and '.join(subjects)} follow the length of the texts, which the reference does not"


def probe_rise(probed: ProbeResult) -> float | None:
    """Return how much higher a variant scores than its response; None where either is unscored.

    >>> from autosr_lib.evaluation.probes import Probe
    >>> probe_rise(ProbeResult("c1", Probe.PADDED, 0.5, 0.75))
    0.25
    """
    if probed.score is None or probed.variant_score is None:
        return None
    return probed.variant_score - probed.score
