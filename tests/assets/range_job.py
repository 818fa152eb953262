"""A small job over a range of four partitions, whose events any event log has to keep."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from autosr_assets.dagster_internals.range_events import log_materializations

PROMPTS = dg.DynamicPartitionsDefinition(name="prompts")
RANGE = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "d"}
FIRST, BEST = dg.AssetKey("first"), dg.AssetKey("best")


def range_instance(home: Path, yaml: str, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """Return the instance of a home with this `dagster.yaml`, which knows the partitions of the range."""
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + yaml)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    instance = dg.DagsterInstance.get()
    instance.add_dynamic_partitions("prompts", list("abcd"))
    return instance


def run_range(instance: dg.DagsterInstance, bad: str) -> str:
    """Run the job, which may fail, and return the id of its run."""
    return range_job(bad).execute_in_process(instance=instance, tags=RANGE, raise_on_error=False).run_id


def range_job(bad: str) -> dg.JobDefinition:
    """Return two assets and a check; the partition `bad` of the second fails, unless it is empty."""

    @dg.asset(partitions_def=PROMPTS, backfill_policy=dg.BackfillPolicy.single_run(), code_version="1")
    def first(context: dg.AssetExecutionContext) -> None:
        context.add_asset_metadata({"objective": 0.5}, partition_key="b")

    @dg.multi_asset(
        specs=[dg.AssetSpec(BEST, deps=[FIRST], partitions_def=PROMPTS, skippable=True)],
        check_specs=[dg.AssetCheckSpec("good", asset=BEST)],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def best(context: dg.AssetExecutionContext) -> Any:
        good = [key for key in context.partition_keys if key != bad]
        tags = {"dagster/data_version": "v"}
        log_materializations(context, (dg.AssetMaterialization(BEST, partition=key, tags=tags) for key in good))
        yield dg.AssetCheckResult(passed=True, asset_key=BEST, check_name="good")
        if bad:
            raise dg.Failure(f"failed: {bad}", allow_retries=False)

    return dg.Definitions([first, best]).resolve_implicit_global_asset_job_def()
