"""The checks of the best rubrics and their export, run in the step that makes them.

Separate check steps would be skipped when that step fails, which it does whenever one prompt failed. The results of a
failed step are recorded.
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
    EVERY_PROMPT: "Every prompt that is in the dataset has a best rubric.",
    VALID: "Every rubric has criteria, each with an id of its own and a text, and weights that sum to 1.",
    AT_LEAST_INITIAL: "On the search's pairs no best rubric has a lower objective than the first rubric.",
    HELD_OUT: "Over pairs of two hidden candidates, the best rubrics order no fewer rightly than the first ones.",
    LENGTH: "No rubric's scores, nor its criteria's grades, follow the length of texts where the reference does not.",
    NOT_GAMED: "No probed rubric scores good responses higher once they are padded, stuffed, repeated or give orders.",
    UNGRADED: f"Less than {MOST_UNGRADED:.0%} of the grades asked for stayed ungraded.",
}


def check_specs(best: dg.AssetKey, export: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return the checks of a search's best rubrics and of its export."""
    return [
        *(dg.AssetCheckSpec(name, asset=best, description=description) for name, description in BEST_CHECKS.items()),
        dg.AssetCheckSpec(
            EXPORT_MATCHES,
            asset=export,
            blocking=True,
            description="The export holds just the rubrics, scores and figures of the tables, in the dataset's order.",
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
        plan: of the search.
        store: with its tables.
        selected: keys of the checks that are run.
        summary: of the pass that wrote the export; without one the best rubrics are read here.
    """
    asset_keys = {key.name: key.asset_key for key in selected}
    if asset_keys.keys() & BEST_CHECKS.keys():
        summary = summary or summarise(outcome.row for outcome in best_outcomes(plan, store))
        for name in BEST_CHECKS:
            if name in asset_keys:
                yield _RESULTS[name](_Checked(plan, store, summary, asset_keys[name], name))
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
class _Checked:
    """A search whose best rubrics were read, and the check whose result is made from that."""

    plan: SearchPlan
    store: TableStore
    summary: SearchSummary
    asset_key: dg.AssetKey
    check: str

    @property
    def findings(self) -> Findings:
        """Return the faults that were found."""
        return self.summary.findings

    def result(
        self,
        faults: Faults,
        metadata: Mapping[str, Any] | None = None,
        *,
        passed: bool | None = None,
        severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    ) -> dg.AssetCheckResult:
        """Return the check's result; it passes without any fault, unless `passed` is given."""
        return dg.AssetCheckResult(
            asset_key=self.asset_key,
            check_name=self.check,
            passed=not faults if passed is None else passed,
            severity=severity,
            metadata={**(metadata or {}), **faults_metadata(faults)},
        )


def _every_prompt(checked: _Checked) -> dg.AssetCheckResult:
    return checked.result(checked.findings.failed, {"prompts": checked.findings.prompts})


def _valid(checked: _Checked) -> dg.AssetCheckResult:
    return checked.result(checked.findings.invalid)


def _at_least_initial(checked: _Checked) -> dg.AssetCheckResult:
    return checked.result(checked.findings.worse_than_initial)


def _held_out(checked: _Checked) -> dg.AssetCheckResult:
    holdout = checked.summary.totals.holdout
    unseen = None if holdout is None else holdout.unseen
    metadata: dict[str, Any] = {"measured_on": "pairs of two hidden candidates"}
    if unseen is None:
        metadata["pairs"] = 0
        metadata["why"] = "no prompt hides two candidates whose order is known, so there is nothing to measure on"
    else:
        metadata |= {"pairs": unseen.pairs, "prompts": unseen.prompts}
        metadata |= {"initial": str(unseen.initial), "best": str(unseen.best)}
        metadata["gain"] = f"{unseen.gain.in_points} points"
    return checked.result(
        checked.findings.holdout_fell,
        metadata,
        passed=unseen is None or unseen.gain.value >= 0,
        severity=dg.AssetCheckSeverity.WARN,
    )


def _length(checked: _Checked) -> dg.AssetCheckResult:
    return checked.result(checked.findings.follows_length, severity=dg.AssetCheckSeverity.WARN)


def _not_gamed(checked: _Checked) -> dg.AssetCheckResult:
    metadata = {"prompts_probed": checked.summary.totals.probed}
    return checked.result(checked.findings.gamed, metadata, severity=dg.AssetCheckSeverity.WARN)


def _ungraded(checked: _Checked) -> dg.AssetCheckResult:
    grades = checked.findings.missing_grades(lambda prompt_id: _count_grades(checked, prompt_id))
    metadata = {"ungraded": grades.missing, "share": grades.share}
    return checked.result(grades.faults, metadata, passed=grades.share < MOST_UNGRADED)


def _count_grades(checked: _Checked, prompt_id: str) -> int:
    """Return how many grades of a verifier the last generation's bank holds for a prompt."""
    last = checked.plan.generation_table(checked.plan.structure.generations)
    rows = checked.store.read(last, partition_key(prompt_id), ["bank"])
    return 0 if rows is None else count_verifier_grades(rows)


_RESULTS: Mapping[str, Callable[[_Checked], dg.AssetCheckResult]] = {
    EVERY_PROMPT: _every_prompt,
    VALID: _valid,
    AT_LEAST_INITIAL: _at_least_initial,
    HELD_OUT: _held_out,
    LENGTH: _length,
    NOT_GAMED: _not_gamed,
    UNGRADED: _ungraded,
}
