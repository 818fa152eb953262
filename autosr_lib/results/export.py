"""The JSON of a whole search, in the seed system's format and beyond it."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from upath import UPath

from autosr_lib.evaluation.holdout import (
    OWN_FIGURE,
    HoldoutCount,
    HoldoutSummary,
    Interval,
    PairCount,
    PairSummary,
    summarise_holdout,
)
from autosr_lib.storage.files import atomic_write, storage_errors, storage_path
from autosr_lib.storage.rows import Row
from autosr_lib.storage.tables import Status

BUDGET_SPENT = "the run's budget is spent"
"""Begins the error of a prompt for which nothing could be paid any more."""
DETAILS = ("criterion_type", "check_points", "positive_examples", "negative_examples", "measure")


@dataclass
class Totals:
    """What an export adds up over its prompts."""

    prompts: int = 0
    done: int = 0
    incomplete: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    judge_calls: int = 0
    probe_calls: int = 0
    probed: int = 0
    """Rubrics that were probed against gaming."""
    gamed: int = 0
    """Those of them whose score rises on a variant that deserves no more."""
    stopped: dict[str, int] = field(default_factory=dict)
    counts: list[HoldoutCount] = field(default_factory=list)
    objective: float = 0.0
    """Sum of the best rubrics' objectives; what one prompt's says, another's does not."""
    initial_objective: float = 0.0
    rubrics_sha256: str = ""
    """Hash of all entries as the export has them; equal means byte for byte the same rubrics."""
    is_deterministic: bool = True
    """Whether no prompt was cut short by the budget that all share: who it meets depends on who is quicker."""

    def add(self, row: Row) -> None:
        """Count one row of the table of best rubrics."""
        self.__dict__.pop("holdout", None)
        self.prompts += 1
        if row["status"] == Status.FAILED:
            self.failed[row["prompt_id"]] = row["error"]
            self.is_deterministic &= not row["error"].startswith(BUDGET_SPENT)
            return
        self.done += 1
        self.incomplete += row["status"] == Status.INCOMPLETE
        # A prompt that ends by its own budget is whole: every run ends it there.
        self.is_deterministic &= not (row["status"] == Status.INCOMPLETE and row["stopped"] == "budget")
        self.stopped[row["stopped"]] = self.stopped.get(row["stopped"], 0) + 1
        self.objective += row["best"]["objective"]
        self.initial_objective += row["initial"]["objective"]
        self.judge_calls += row["judge_calls"]
        self.probe_calls += row["probe_calls"]
        self.probed += bool(row["probes"])
        self.gamed += bool(row["gamed_by"])
        for name, count in row["calls"].items():
            self.calls[name] = self.calls.get(name, 0) + count
        self.counts.append(
            HoldoutCount(
                PairCount(row["holdout_pairs"], row["holdout_initial"], row["holdout_best"]),
                PairCount(row["unseen_pairs"], row["unseen_initial"], row["unseen_best"]),
                row["holdout_remembered"],
            )
        )

    @cached_property
    def holdout(self) -> HoldoutSummary | None:
        """Return the pooled held-out accuracy, or None when nothing was held out."""
        return summarise_holdout(self.counts)


def best_entry(row: Row) -> dict[str, Any]:
    """Return the export's entry of one prompt that did not fail; `row` is its best rubric and the `prompt` itself."""
    entry: dict[str, Any] = {
        "prompt_id": row["prompt_id"],
        "prompt": row["prompt"],
        "rubric": _rubric(row["rubric"]),
        "measured_rubric": _rubric(row["measured_rubric"]),
        "initial_rubric": _rubric(row["initial_rubric"]),
        "best_candidate_id": row["best_candidate_id"],
        "candidate_scores": {one["candidate_id"]: one["score"] for one in row["candidate_scores"]},
        "hidden_candidates": [one["candidate_id"] for one in row["candidate_scores"] if one["is_hidden"]],
        "objective_score": row["best"]["objective"],
        "initial_objective_score": row["initial"]["objective"],
        "stopped": row["stopped"],
        "status": row["status"],
        "gamed_by": row["gamed_by"],
        "probes": [{**one, "rise": probe_rise(one)} for one in row["probes"]],
    }
    # On few pairs a prompt's own figure says next to nothing, and would be quoted all the same (docs/method.md §5).
    if len(row["candidate_scores"]) >= OWN_FIGURE and row["holdout_pairs"]:
        entry["holdout_accuracy"] = {
            "belongs_to": "measured_rubric",
            "pairs": row["holdout_pairs"],
            "initial": row["holdout_initial"] / row["holdout_pairs"],
            "best": row["holdout_best"] / row["holdout_pairs"],
        }
    return entry


def probe_rise(probe: Row) -> float | None:
    """Return by how much a variant scores above its response; None where either is unscored."""
    before, after = probe["score"], probe["variant_score"]
    return None if before is None or after is None else after - before


def _rubric(criteria: Iterable[Row]) -> dict[str, Any]:
    """Return a rubric in the seed's shape; details that are empty are left out."""
    return {
        "criteria": [
            {"criterion_id": one["criterion_id"], "text": one["text"], "weight": one["weight"]}
            | {name: one[name] for name in DETAILS if one[name]}
            for one in criteria
        ]
    }


def totals_json(totals: Totals) -> dict[str, Any]:
    """Return the totals as a manifest tells them."""
    return {
        "prompts": totals.prompts,
        "rubrics": totals.done,
        "incomplete": totals.incomplete,
        "failed": len(totals.failed),
        "objective": totals.objective / totals.done if totals.done else None,
        "initial_objective": totals.initial_objective / totals.done if totals.done else None,
        "calls": totals.calls,
        "judge_calls": totals.judge_calls,
        "probe_calls": totals.probe_calls,
        "rubrics_probed": totals.probed,
        "rubrics_gamed": totals.gamed,
        "stopped": dict(sorted(totals.stopped.items())),
        "holdout_accuracy": holdout_json(totals.holdout),
    }


def write_export(
    path: str | UPath, rows: Iterable[Row], manifest: Callable[[Totals], Mapping[str, Any]]
) -> tuple[Totals, Mapping[str, Any]]:
    """Write the JSON of a search and return its totals and manifest; `rows` is read once, one prompt at a time.

    The manifest is asked for once the totals are known.

    Raises:
        StorageError: the file cannot be written; an earlier file of that name is then untouched.
    """
    target = storage_path(path)
    totals = Totals()
    scores: dict[str, float] = {}
    digest = hashlib.sha256()
    with storage_errors(target, "write"), atomic_write(target) as part, part.open("w", encoding="utf-8") as out:
        out.write('{\n"best_rubrics": [')
        separator = "\n"
        for row in rows:
            totals.add(row)
            if row["status"] == Status.FAILED:
                continue
            scores[row["prompt_id"]] = row["best"]["objective"]
            entry = _json(best_entry(row))
            digest.update(f"{entry}\n".encode("utf-8", "surrogatepass"))
            out.write(separator + entry)
            separator = ",\n"
        out.write("\n]")
        totals.rubrics_sha256 = digest.hexdigest()
        told = manifest(totals)
        rest = {
            "best_objective_scores": scores,
            "best_scores": scores,
            "failed_prompts": totals.failed,
            "holdout_accuracy": holdout_json(totals.holdout),
            "run_manifest": told,
        }
        for name, value in rest.items():
            out.write(f",\n{_json(name)}: {_json(value)}")
        out.write("\n}\n")
    return totals, told


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


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
    def interval(one: Interval) -> dict[str, float]:
        return {"value": one.value, "low": one.low, "high": one.high}

    return {
        "prompts": summary.prompts,
        "pairs": summary.pairs,
        "initial": interval(summary.initial),
        "best": interval(summary.best),
        "gain": interval(summary.gain),
    }
