"""The totals of a search over its prompts, as the export, the manifest and the report show them."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from autosr_lib.evaluation.holdout import (
    HoldoutCount,
    HoldoutSummary,
    Interval,
    PairSummary,
    summarise_holdout,
)
from autosr_lib.search.state import Calls, StopReason
from autosr_lib.storage.tables.best_rubrics import BestRubricRow, StoredBest
from autosr_lib.storage.tables.columns import Status

BUDGET_SPENT = "the run's budget is spent"
"""Begins the error of a prompt that was not searched because the run's budget was spent."""


@dataclass
class Totals:
    """What the best rubrics of a search add up to."""

    prompts: int = 0
    rubrics: int = 0
    """Prompts that have a rubric."""
    incomplete: int = 0
    """Those of them whose search is incomplete."""
    failed: dict[str, str] = field(default_factory=dict)
    """Error by prompt."""
    calls: Calls = field(default_factory=Calls)
    judge_calls: int = 0
    probe_calls: int = 0
    probed: int = 0
    """Rubrics that were probed against gaming."""
    gamed: int = 0
    """Those of them whose score rises on a variant that deserves no higher score."""
    stopped: dict[str, int] = field(default_factory=dict)
    """Number of prompts by the reason why their search ended."""
    counts: list[HoldoutCount] = field(default_factory=list)
    objective: float = 0.0
    """Sum of the best rubrics' objectives, which are not comparable between prompts."""
    initial_objective: float = 0.0
    rubrics_sha256: str = ""
    """Hash of all entries as the export has them; equal hashes mean byte for byte the same rubrics."""
    is_deterministic: bool = True
    """Whether no prompt was cut short by the run's shared budget: which prompts it stops depends on timing."""

    def add(self, row: StoredBest) -> None:
        """Count the row of one prompt."""
        self.__dict__.pop("holdout", None)
        self.prompts += 1
        if not isinstance(row, BestRubricRow):
            error = row.error or ""
            self.failed[row.prompt_id] = error
            self.is_deterministic &= not error.startswith(BUDGET_SPENT)
            return
        is_incomplete = row.status == Status.INCOMPLETE
        self.rubrics += 1
        self.incomplete += is_incomplete
        # A prompt that ends by its own budget is complete: every run ends it there.
        self.is_deterministic &= not (is_incomplete and row.stopped == StopReason.BUDGET)
        reason = str(row.stopped)
        self.stopped[reason] = self.stopped.get(reason, 0) + 1
        self.objective += row.best.objective
        self.initial_objective += row.initial.objective
        self.calls += row.calls
        self.judge_calls += row.judge_calls
        self.probe_calls += row.probe_calls
        self.probed += bool(row.probes)
        self.gamed += bool(row.gamed_by)
        self.counts.append(row.holdout)

    @cached_property
    def holdout(self) -> HoldoutSummary | None:
        """Return the pooled held-out accuracy, or None when nothing was held out."""
        return summarise_holdout(self.counts)

    @property
    def stop_counts(self) -> str:
        """Return why the searches ended, as text.

        >>> Totals(stopped={"stagnation": 2, "generations": 1}).stop_counts
        'generations 1, stagnation 2'
        """
        return ", ".join(f"{reason} {count}" for reason, count in sorted(self.stopped.items()))


def totals_json(totals: Totals) -> dict[str, Any]:
    """Return the totals as a manifest contains them.

    >>> totals_json(Totals())["rubrics"]
    0
    """
    return {
        "prompts": totals.prompts,
        "rubrics": totals.rubrics,
        "incomplete": totals.incomplete,
        "failed": len(totals.failed),
        "objective": totals.objective / totals.rubrics if totals.rubrics else None,
        "initial_objective": totals.initial_objective / totals.rubrics if totals.rubrics else None,
        "calls": asdict(totals.calls) if totals.rubrics else {},
        "judge_calls": totals.judge_calls,
        "probe_calls": totals.probe_calls,
        "rubrics_probed": totals.probed,
        "rubrics_gamed": totals.gamed,
        "stopped": dict(sorted(totals.stopped.items())),
        "holdout_accuracy": holdout_json(totals.holdout),
    }


def holdout_json(summary: HoldoutSummary | None) -> dict[str, Any] | None:
    """Return the pooled held-out figures with their 95% intervals, or None."""
    if summary is None:
        return None
    return {
        "belongs_to": "measured_rubric",
        "unseen_pairs": None if summary.unseen is None else _pairs_json(summary.unseen),
        "pairs_touching_hidden": {**_pairs_json(summary.touching), "visible_labels_alone": summary.remembered},
    }


def _pairs_json(summary: PairSummary) -> dict[str, Any]:
    return {
        "prompts": summary.prompts,
        "pairs": summary.pairs,
        "initial": _interval_json(summary.initial),
        "best": _interval_json(summary.best),
        "gain": _interval_json(summary.gain),
    }


def _interval_json(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}
