"""The checks of the best rubrics and their export. They are run in the step that makes both.

That step fails whenever a prompt failed, and Dagster would then skip separate check steps. It records the check results that
a step yielded before it failed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from autosr_assets.checks.dataset_checks import faults_metadata
from autosr_assets.steps.export import best_outcomes, export_target
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.results.export_check import differences
from autosr_lib.results.findings import MOST_UNGRADED, Faults, Findings
from autosr_lib.results.summary import SearchSummary, summarise
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.grades import count_verifier_grades

EVERY_PROMPT, VALID = "every_prompt_has_a_rubric", "every_rubric_is_valid"
AT_LEAST_INITIAL, HELD_OUT = "best_is_at_least_initial", "held_out_accuracy_did_not_fall"
LENGTH, UNGRADED = "no_rubric_rewards_length_alone", "few_grades_are_missing"
NOT_GAMED = "no_rubric_is_gamed_by_probes"
EXPORT_MATCHES = "export_matches_the_tables"
BEST_CHECKS: Mapping[str, str] = {
    EVERY_PROMPT: "Every prompt of the dataset has a best rubric.",
    VALID: "Every rubric has criteria with unique ids and non-empty texts, and weights that sum to 1.",
    AT_LEAST_INITIAL: "On the pairs of the search, no best rubric has a lower objective than the initial rubric.",
    HELD_OUT: "The best rubrics order at least as many pairs of two hidden candidates correctly as the initial rubrics.",
    LENGTH: "No rubric's scores, and no criterion's grades, follow the length of the responses unless the reference does.",
    NOT_GAMED: "No probed rubric scores good responses higher after padding, keyword stuffing, repetition or an instruction to "
    "the grader.",
    UNGRADED: f"Fewer than {MOST_UNGRADED:.0%} of the requested grades are missing.",
}


def check_specs(best: dg.AssetKey, export: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return the checks of a search's best rubrics and of its export."""
    return [
        *(dg.AssetCheckSpec(name, asset=best, description=description) for name, description in BEST_CHECKS.items()),
        dg.AssetCheckSpec(
            EXPORT_MATCHES,
            asset=export,
            blocking=True,
            description="The export contains exactly the rubrics, scores and figures of the tables, in the order of the dataset.",
        ),
    ]


def check_search(
    plan: SearchPlan,
    store: TableStore,
    selected: Iterable[dg.AssetCheckKey],
    summary: SearchSummary | None = None,
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the selected checks.

    Args:
        plan: plan of the search.
        store: holds the tables of the search.
        selected: keys of the checks to run.
        summary: summary of the best rubrics if the export was just written; otherwise they are read here.
    """
    asset_keys = {key.name: key.asset_key for key in selected}
    if asset_keys.keys() & BEST_CHECKS.keys():
        summary = summary or summarise(outcome.row for outcome in best_outcomes(plan, store))
        for name in BEST_CHECKS:
            if name in asset_keys:
                yield _RESULTS[name](_Check(plan, store, summary, asset_keys[name], name))
    if EXPORT_MATCHES in asset_keys:
        target = export_target(plan)
        faults = dict(differences(target, best_outcomes(plan, store)))
        yield dg.AssetCheckResult(
            asset_key=asset_keys[EXPORT_MATCHES],
            check_name=EXPORT_MATCHES,
            passed=not faults,
            metadata={"path": dg.MetadataValue.path(str(target)), **faults_metadata(faults)},
        )


@dataclass(frozen=True)
class _Check:
    """One check of a search, and what its result is made from."""

    plan: SearchPlan
    store: TableStore
    summary: SearchSummary
    asset_key: dg.AssetKey
    name: str

    @property
    def findings(self) -> Findings:
        """Return the faults of the best rubrics."""
        return self.summary.findings

    def result(
        self,
        faults: Faults,
        metadata: Mapping[str, Any] | None = None,
        *,
        passed: bool | None = None,
        severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    ) -> dg.AssetCheckResult:
        """Return the result of the check; by default it passes if there are no faults."""
        return dg.AssetCheckResult(
            asset_key=self.asset_key,
            check_name=self.name,
            passed=not faults if passed is None else passed,
            severity=severity,
            metadata={**(metadata or {}), **faults_metadata(faults)},
        )


def _every_prompt(check: _Check) -> dg.AssetCheckResult:
    return check.result(check.findings.failed, {"prompts": check.findings.prompts})


def _valid(check: _Check) -> dg.AssetCheckResult:
    return check.result(check.findings.invalid)


def _at_least_initial(check: _Check) -> dg.AssetCheckResult:
    return check.result(check.findings.worse_than_initial)


def _held_out(check: _Check) -> dg.AssetCheckResult:
    holdout = check.summary.totals.holdout
    unseen = None if holdout is None else holdout.unseen
    metadata: dict[str, Any] = {"measured_on": "pairs of two hidden candidates"}
    if unseen is None:
        metadata["pairs"] = 0
        metadata["why"] = "no prompt has two hidden candidates whose order is known"
    else:
        metadata |= {"pairs": unseen.pairs, "prompts": unseen.prompts}
        metadata |= {"initial": str(unseen.initial), "best": str(unseen.best)}
        metadata["gain"] = f"{unseen.gain.in_points} points"
    return check.result(
        check.findings.holdout_fell,
        metadata,
        passed=unseen is None or unseen.gain.value >= 0,
        severity=dg.AssetCheckSeverity.WARN,
    )


def _length(check: _Check) -> dg.AssetCheckResult:
    return check.result(check.findings.follows_length, severity=dg.AssetCheckSeverity.WARN)


def _not_gamed(check: _Check) -> dg.AssetCheckResult:
    metadata = {"prompts_probed": check.summary.totals.probed}
    return check.result(check.findings.gamed, metadata, severity=dg.AssetCheckSeverity.WARN)


def _ungraded(check: _Check) -> dg.AssetCheckResult:
    grades = check.findings.missing_grades(lambda prompt_id: _count_grades(check, prompt_id))
    metadata = {"ungraded": grades.missing, "share": grades.share}
    return check.result(grades.faults, metadata, passed=grades.share < MOST_UNGRADED)


def _count_grades(check: _Check, prompt_id: str) -> int:
    """Return the number of the verifier's grades in the grade bank of a prompt's last generation."""
    last = check.plan.generation_table(check.plan.structure.generations)
    rows = check.store.read(last, partition_key(prompt_id), ["bank"])
    return 0 if rows is None else count_verifier_grades(rows)


_RESULTS: Mapping[str, Callable[[_Check], dg.AssetCheckResult]] = {
    EVERY_PROMPT: _every_prompt,
    VALID: _valid,
    AT_LEAST_INITIAL: _at_least_initial,
    HELD_OUT: _held_out,
    LENGTH: _length,
    NOT_GAMED: _not_gamed,
    UNGRADED: _ungraded,
}
