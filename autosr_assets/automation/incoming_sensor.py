"""The sensor of a dataset: files that are dropped for it are taken in, and the dataset is read anew."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg
from upath import UPath

from autosr_assets.automation.dagster_runs import unfinished_run
from autosr_assets.automation.incoming import Inbox, stamp_of
from autosr_assets.dagster_internals.private_names import UnresolvedAssetJobDefinition
from autosr_assets.runtime.graph_names import TABLES, dataset_settings_key
from autosr_assets.runtime.run_tags import ASKED_BY, INCOMING, dataset_tags
from autosr_lib.pipeline.dataset_storage import DatasetSource, min_candidates
from autosr_lib.settings import DatasetRunSettings
from autosr_lib.storage.table_names import TableName

WATCH_SECONDS = 30


def incoming_sensor(
    name: str, job: UnresolvedAssetJobDefinition, inbox_of: Callable[[], Inbox], seconds: int
) -> dg.SensorDefinition:
    """Return the sensor of a dataset; `inbox_of` says where its files are dropped."""

    @dg.sensor(
        name=f"{name}_incoming",
        job=job,
        description=f"Takes in {name}.json (or .jsonl, .csv, .parquet) from the folder of new files and reads it; a bad "
        "one is moved to rejected/ with its faults beside it.",
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={TABLES, dataset_settings_key(name)},
    )
    def incoming(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        settings: DatasetRunSettings = getattr(context.resources, dataset_settings_key(name))
        inbox = inbox_of()
        known = read_cursor(context.cursor)
        seen = _look(context, inbox, known.get("seen", {}), settings)
        asked = known.get("asked")

        def result(said: str | None = None, *requests: dg.RunRequest) -> dg.SensorResult:
            cursor = json.dumps({"seen": seen, "asked": asked})
            return dg.SensorResult(list(requests), skip_reason=said, cursor=cursor)

        accepted = inbox.accepted()
        stamp = None if accepted is None else list(stamp_of(accepted) or ())
        if accepted is None or stamp == asked:
            return result(_nothing_new(context, inbox, seen))
        # The searches of before must end on the prompts that they began with.
        if (run := unfinished_run(context.instance, dataset_tags(name))) is not None:
            return result(f"{accepted.name} is taken in; it is read when run {run.run_id} has ended")
        asked = stamp
        if _is_stored(accepted, settings, context.resources, name):
            return result(f"{accepted.name} holds what {name} holds already")
        return result(None, dg.RunRequest(tags={ASKED_BY: INCOMING, "autosr/file": accepted.name}))

    return incoming


def read_cursor(cursor: str | None) -> Mapping[str, Any]:
    """Return what a sensor noted at its last look; a cursor that somebody emptied or wrote over says nothing."""
    try:
        known = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _look(
    context: dg.SensorEvaluationContext, inbox: Inbox, before: Mapping[str, Any], settings: DatasetRunSettings
) -> dict[str, Any]:
    """Take in the files that did not change since the last look, and return the state of the others."""
    seen: dict[str, Any] = {}
    for file in inbox.waiting():
        stamp = list(stamp_of(file) or ())
        # An object store has no half-written files, but a folder mounted from one may.
        if before.get(file.name) != stamp:
            seen[file.name] = stamp
        elif (fault := _take_in(inbox, file, settings)) is not None:
            context.log.error(fault)
        else:
            context.log.info("%s is taken in", file.name)
    return seen


def _take_in(inbox: Inbox, file: UPath, settings: DatasetRunSettings) -> str | None:
    return inbox.take_in(file, skip_invalid=settings.skip_invalid, min_candidates=min_candidates(settings))


def _is_stored(accepted: UPath, settings: DatasetRunSettings, resources: Any, name: str) -> bool:
    offered = DatasetSource.of_file(str(accepted), skip_invalid=settings.skip_invalid)
    stored = DatasetSource.of_stored(getattr(resources, TABLES).store, TableName.dataset(name))
    return offered is not None and stored is not None and offered[1:] == stored[1:]


def _nothing_new(context: dg.SensorEvaluationContext, inbox: Inbox, seen: Mapping[str, Any]) -> str:
    if seen:
        return f"{', '.join(seen)}: waits until it is still"
    said = f"no new file of {inbox.dataset} in {inbox.folder}"
    graph = context.repository_def.asset_graph if context.repository_def else None
    datasets = {key.path[0] for key in graph.get_all_asset_keys() if key.path[1:] == ["dataset"]} if graph else set()
    if strangers := inbox.strangers(frozenset({*datasets, inbox.dataset})):
        said += f"; left alone, for no dataset has their names: {', '.join(strangers[:5])}"
    return said
