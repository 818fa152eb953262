"""The latest results of asset checks, read from Dagster's event log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from autosr_assets.checks.dataset_checks import dataset_checks
from autosr_assets.checks.search_checks import check_specs
from autosr_assets.runtime.graph_names import asset_key
from autosr_assets.runtime.instance import open_instance
from autosr_lib.storage.table_names import TableName

PASSED, WARNING, FAILED, NOT_RUN = "passed", "warning", "failed", "not run"


@dataclass(frozen=True)
class CheckResult:
    """The latest result of one check."""

    asset: str
    check: str
    result: str
    """`PASSED`, `WARNING` (failed with severity WARN), `FAILED`, or `NOT_RUN`: no result since it was last planned."""
    run_id: str
    """Run of the latest execution, or "" if there is none."""
    metadata: dict[str, Any]


def check_results(searches: Iterable[tuple[str, str]]) -> list[CheckResult]:
    """Return the latest results of the checks of these (search, dataset) pairs, each check once."""
    keys = list(dict.fromkeys(key for search, dataset in searches for key in _check_keys(search, dataset)))
    with open_instance() as instance:
        records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return [_result(key, records.get(key)) for key in keys]


def _check_keys(search: str, dataset: str) -> Sequence[dg.AssetCheckKey]:
    specs = check_specs(asset_key(TableName.best_rubrics(search)), asset_key(TableName.rubric_export(search)))
    return [*(key for checks in dataset_checks(dataset) for key in checks.check_keys), *(spec.key for spec in specs)]


def _result(key: dg.AssetCheckKey, record: Any) -> CheckResult:
    asset = key.asset_key.to_user_string()
    event = None if record is None else record.event
    evaluation = None if event is None or event.dagster_event is None else event.dagster_event.event_specific_data
    if not isinstance(evaluation, dg.AssetCheckEvaluation):  # never planned, or its run ended before the check
        return CheckResult(asset, key.name, NOT_RUN, "" if record is None else record.run_id, {})
    is_warning = evaluation.severity is dg.AssetCheckSeverity.WARN
    result = PASSED if evaluation.passed else WARNING if is_warning else FAILED
    metadata = {name: getattr(value, "value", None) for name, value in evaluation.metadata.items()}
    return CheckResult(asset, key.name, result, record.run_id, metadata)
