"""What must hold of the best rubrics and their export, checked in the step that makes them.

Separate check steps would be skipped when that step fails, which it does whenever one prompt failed; its own results
are recorded all the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.checks.dataset_checks import faults_metadata
from autosr_assets.steps.export import best_rows, export_target
from autosr_lib.evaluation.holdout import HoldoutCount, PairCount, summarise_holdout
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.results.export_check import differences
from autosr_lib.results.soundness import (
    MOST_UNGRADED,
    RUBRICS,
    gamed_fault,
    length_fault,
    objective_fault,
    rubric_fault,
)
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.rows import Row
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables import Status

EVERY_PROMPT, VALID = "every_prompt_has_a_rubric", "every_rubric_is_valid"
AT_LEAST_INITIAL, HELD_OUT = "best_is_at_least_initial", "held_out_accuracy_did_not_fall"
LENGTH, UNGRADED = "no_rubric_rewards_length_alone", "few_grades_are_missing"
NOT_GAMED = "no_rubric_is_gamed_by_probes"
EXPORT_MATCHES = "export_matches_the_tables"
BEST_CHECKS: Mapping[str, str] = {
    EVERY_PROMPT: "Every prompt that is in the dataset has a best rubric.",
    VALID: "Every rubric has criteria, each with an id of its own and a text, and weights that sum to 1.",
    AT_LEAST_INITIAL: "On the search's pairs no best rubric has a lower objective than the first rubric.",
    HELD_OUT: "Over pairs of two hidden candidates, the best rubrics order no fewer rightly than the first ones.",
    LENGTH: "No rubric's scores, nor its criteria's grades, follow the length of texts where the reference does not.",
    NOT_GAMED: "No probed rubric scores good responses higher once they are padded, stuffed, repeated or give orders.",
    UNGRADED: f"Less than {MOST_UNGRADED:.0%} of the grades asked for stayed ungraded.",
}
_COLUMNS = [
    "prompt_id", "status", "error", *RUBRICS, "candidate_scores", "best", "initial", "calls", "holdout_pairs",
    "holdout_initial", "holdout_best", "holdout_remembered", "unseen_pairs", "unseen_initial", "unseen_best",
    "probes", "gamed_by", "score_follows_length", "criteria_follow_length",
]  # fmt: skip


def check_specs(best: dg.AssetKey, export: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return the checks of the two ends of a search."""
    return [
        *(dg.AssetCheckSpec(name, asset=best, description=says) for name, says in BEST_CHECKS.items()),
        dg.AssetCheckSpec(
            EXPORT_MATCHES,
            asset=export,
            blocking=True,
            description="The export holds just the rubrics, scores and figures of the tables, in the dataset's order.",
        ),
    ]


def check_search(
    plan: SearchPlan, store: TableStore, wanted: Iterable[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the wanted checks, after one look at each prompt's row."""
    names = {key.name: key.asset_key for key in wanted}
    if names.keys() & BEST_CHECKS.keys():
        found = _Findings.of(plan, store)
        for name in BEST_CHECKS:
            if name in names:
                yield _RESULTS[name](found, {"asset_key": names[name], "check_name": name})
    if EXPORT_MATCHES in names:
        target = export_target(plan)
        faults = dict(differences(target, best_rows(plan, store)))
        yield dg.AssetCheckResult(
            asset_key=names[EXPORT_MATCHES],
            check_name=EXPORT_MATCHES,
            passed=not faults,
            metadata={"path": dg.MetadataValue.path(str(target)), **faults_metadata(faults)},
        )


@dataclass
class _Findings:
    """What one pass over the best rubrics has found, by prompt."""

    prompts: int = 0
    without: dict[str, str] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    worse: dict[str, str] = field(default_factory=dict)
    fallen: dict[str, str] = field(default_factory=dict)
    by_length: dict[str, str] = field(default_factory=dict)
    gamed: dict[str, str] = field(default_factory=dict)
    probed: int = 0
    ungraded: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    asked: int = 0
    counts: list[HoldoutCount] = field(default_factory=list)

    @classmethod
    def of(cls, plan: SearchPlan, store: TableStore) -> "_Findings":
        found = cls()
        for row in best_rows(plan, store, _COLUMNS):
            found.prompts += 1
            if row["status"] == Status.FAILED:
                found.without[row["prompt_id"]] = row["error"]
                continue
            found.add(row, plan, store)
        return found

    def add(self, row: Row, plan: SearchPlan, store: TableStore) -> None:
        name = row["prompt_id"]
        self.probed += bool(row["probes"])
        for faults, fault in (
            (self.invalid, rubric_fault(row)),
            (self.worse, objective_fault(row)),
            (self.by_length, length_fault(row)),
            (self.gamed, gamed_fault(row)),
        ):
            if fault is not None:
                faults[name] = fault
        unseen = PairCount(row["unseen_pairs"], row["unseen_initial"], row["unseen_best"])
        touching = PairCount(row["holdout_pairs"], row["holdout_initial"], row["holdout_best"])
        self.counts.append(HoldoutCount(touching, unseen, row["holdout_remembered"]))
        if unseen.best < unseen.initial:
            self.fallen[name] = f"{unseen.best:g} of {unseen.pairs} pairs, the first rubric {unseen.initial:g}"
        missing = row["calls"]["ungraded"]
        # A request asks for one grade at least; grades are counted only where some are missing.
        asked = row["calls"]["verifier"] if not missing else missing + _given(plan, store, name)
        self.missing += missing
        self.asked += asked
        if asked and missing / asked >= MOST_UNGRADED:
            self.ungraded[name] = f"{missing} of {asked} grades"


def _given(plan: SearchPlan, store: TableStore, prompt_id: str) -> int:
    """Return how many grades the last generation's bank holds that were asked of a verifier."""
    last = plan.generation_table(plan.structure.generations)
    rows = store.read(last, partition_key(prompt_id), ["bank"])
    return 0 if rows is None else _grades(rows)


def _grades(rows: pa.Table) -> int:
    criteria = rows["bank"][0].as_py() or ()
    return sum(
        sum(grade is not None for grade in one["grades"]) + len(one["not_applicable"])
        for one in criteria
        if one["measure"] is None
    )


def _every_prompt(found: _Findings, named: dict[str, Any]) -> dg.AssetCheckResult:
    metadata = {"prompts": found.prompts, **faults_metadata(found.without)}
    return dg.AssetCheckResult(**named, passed=not found.without, metadata=metadata)


def _valid(found: _Findings, named: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(**named, passed=not found.invalid, metadata=faults_metadata(found.invalid))


def _at_least_initial(found: _Findings, named: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(**named, passed=not found.worse, metadata=faults_metadata(found.worse))


def _held_out(found: _Findings, named: dict[str, Any]) -> dg.AssetCheckResult:
    summary = summarise_holdout(found.counts)
    unseen = None if summary is None else summary.unseen
    metadata: dict[str, Any] = {"measured_on": "pairs of two hidden candidates"}
    if unseen is None:
        metadata["pairs"] = 0
        metadata["why"] = "no prompt hides two candidates whose order is known, so there is nothing to measure on"
    else:
        metadata |= {"pairs": unseen.pairs, "prompts": unseen.prompts}
        metadata |= {"initial": str(unseen.initial), "best": str(unseen.best)}
        metadata["gain"] = f"{unseen.gain.in_points} points"
    return dg.AssetCheckResult(
        **named,
        passed=unseen is None or unseen.gain.value >= 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**metadata, **faults_metadata(found.fallen)},
    )


def _length(found: _Findings, named: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        **named,
        passed=not found.by_length,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=faults_metadata(found.by_length),
    )


def _not_gamed(found: _Findings, named: dict[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        **named,
        passed=not found.gamed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"prompts_probed": found.probed, **faults_metadata(found.gamed)},
    )


def _ungraded(found: _Findings, named: dict[str, Any]) -> dg.AssetCheckResult:
    share = found.missing / found.asked if found.asked else 0.0
    return dg.AssetCheckResult(
        **named,
        passed=share < MOST_UNGRADED,
        metadata={"ungraded": found.missing, "share": share, **faults_metadata(found.ungraded)},
    )


_RESULTS: Mapping[str, Callable[[_Findings, dict[str, Any]], dg.AssetCheckResult]] = {
    EVERY_PROMPT: _every_prompt,
    VALID: _valid,
    AT_LEAST_INITIAL: _at_least_initial,
    HELD_OUT: _held_out,
    LENGTH: _length,
    NOT_GAMED: _not_gamed,
    UNGRADED: _ungraded,
}
