"""What can be wrong with stored rows: a sentence about each prompt at fault, or None."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.holdout import hidden_candidates
from autosr_lib.evaluation.reference import (
    PromptPreferences,
    choose_judge,
    intransitive_share,
)
from autosr_lib.evaluation.settings import HoldoutSettings, JudgeSetting, ReferenceSettings
from autosr_lib.results.export import probe_rise
from autosr_lib.storage.rows import Row

MOST_FLIPS = 0.3
"""Flip rate beyond which a judge mostly answers by position."""
MOST_INTRANSITIVE = 0.1
"""Share of cycles beyond which the preferences hold little order; answers at random give 0.25."""
MOST_UNGRADED = 0.02
"""Share of the grades asked for that may stay ungraded."""
RUBRICS = ("rubric", "measured_rubric", "initial_rubric")
WEIGHT_TOLERANCE = 1e-6
OBJECTIVE_TOLERANCE = 1e-9


def repeated_text_fault(prompt: Prompt) -> str | None:
    """Return which candidates have the same text."""
    first: dict[str, str] = {}
    for candidate in prompt.candidates:
        if (other := first.setdefault(candidate.text.strip(), candidate.candidate_id)) != candidate.candidate_id:
            return f"{candidate.candidate_id!r} has the text of {other!r}"
    return None


def tail_fault(prompt: Prompt, holdout: HoldoutSettings, reference: ReferenceSettings) -> str | None:
    """Return why the search can order no tail: fewer than two visible candidates that differ in text and label."""
    hidden = hidden_candidates(prompt, holdout)
    visible = [candidate for candidate in prompt.candidates if candidate.candidate_id not in hidden]
    if len({candidate.text.strip() for candidate in visible}) < 2:
        return f"its {len(visible)} visible candidates are one text; at least 2 make a tail"
    judge = choose_judge(prompt, reference.judge)
    if judge is JudgeSetting.MODEL:
        return None
    labels = {one.rank if judge is JudgeSetting.RANK else one.quality for one in visible}
    return f"its {len(visible)} visible candidates share one {judge.value}" if len(labels) < 2 else None


@dataclass
class Consistency:
    """How far the preferences of many prompts contradict themselves."""

    judged: int = 0
    flips: int = 0
    shares: list[float] = field(default_factory=list)
    """Intransitive share of each prompt that has triples."""

    def add(self, known: PromptPreferences) -> str | None:
        """Count a prompt's preferences and return what is wrong with them."""
        judged = sum(p.forward is not None and p.backward is not None for p in known.preferences)
        self.judged += judged
        self.flips += sum(p.is_flip for p in known.preferences)
        share = intransitive_share(known.preferences)
        if share is not None:
            self.shares.append(share)
        if known.flip_rate is not None and known.flip_rate > MOST_FLIPS:
            return f"{known.flip_rate:.0%} of {judged} judged pairs flip with their order"
        if share is not None and share > MOST_INTRANSITIVE:
            return f"{share:.0%} of its triples are cycles"
        return None

    @property
    def flip_rate(self) -> float | None:
        """Return the share of all judged pairs that flip, or None for labels."""
        return self.flips / self.judged if self.judged else None

    @property
    def intransitive_share(self) -> float | None:
        """Return the mean share of cycles over prompts, or None without triples."""
        return math.fsum(self.shares) / len(self.shares) if self.shares else None

    @property
    def is_fine(self) -> bool:
        """Return whether neither is beyond its limit over all prompts; one prompt has too few pairs to say."""
        return (self.flip_rate or 0) <= MOST_FLIPS and (self.intransitive_share or 0) <= MOST_INTRANSITIVE


def rubric_fault(row: Row) -> str | None:
    """Return what makes one of a row's rubrics unusable: no criteria, ids that repeat, weights that do not sum to 1."""
    for name in RUBRICS:
        if (fault := _criteria_fault(row[name] or ())) is not None:
            return f"{name}: {fault}"
    return None


def _criteria_fault(criteria: Sequence[Row]) -> str | None:
    ids = [one["criterion_id"] for one in criteria]
    weights = [one["weight"] for one in criteria]
    if not criteria:
        return "has no criteria"
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        return f"criterion ids {repeated} repeat"
    if blank := [one["criterion_id"] for one in criteria if not (one["text"] or "").strip()]:
        return f"criteria {blank} say nothing"
    if any(weight is None or not 0 <= weight <= 1 for weight in weights):
        return f"weights {weights} are not all shares, 0..1"
    if abs(math.fsum(weights) - 1) > WEIGHT_TOLERANCE:
        return f"weights sum to {math.fsum(weights):.6g}, not 1"
    return None


def objective_fault(row: Row) -> str | None:
    """Return by how much the measured rubric is below the first on the search's pairs."""
    best, initial = row["best"]["objective"], row["initial"]["objective"]
    if best is None or initial is None or best >= initial - OBJECTIVE_TOLERANCE:
        return None
    return f"objective {best:.4f}, the first rubric's {initial:.4f}"


def gamed_fault(row: Row) -> str | None:
    """Return on which variants of good responses, that deserve no more, the rubric's scores rise."""
    if not row["gamed_by"]:
        return None
    found: dict[str, list[float]] = {}
    for one in row["probes"]:
        if (rise := probe_rise(one)) is not None:
            found.setdefault(one["probe"], []).append(rise)
    told = (f"{probe} {math.fsum(found[probe]) / len(found[probe]):+.2f}" for probe in row["gamed_by"])
    return f"its scores rise on responses made no better: {', '.join(told)}"


def length_fault(row: Row) -> str | None:
    """Return what of the prompt's rubric rewards little more than the length of the texts."""
    told = ["its scores"] if row["score_follows_length"] else []
    if row["criteria_follow_length"]:
        told.append(f"the grades of {', '.join(row['criteria_follow_length'])}")
    return f"{' and '.join(told)} follow the length of the texts, which the reference does not" if told else None
