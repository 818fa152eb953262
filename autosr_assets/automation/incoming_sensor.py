"""The sensor of a dataset: it accepts or rejects dropped files and requests a run that reads an accepted file."""

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
MOST_NAMED = 5
"""Largest number of unmatched files that a skip message names."""

_SEEN, _REQUESTED = "seen", "asked"
"""Keys of the cursor: stamps of files that may still be being written, and the stamp of the last file that was read."""


def incoming_sensor(
    name: str, job: UnresolvedAssetJobDefinition, inbox_of: Callable[[], Inbox], seconds: int
) -> dg.SensorDefinition:
    """Return the sensor that watches the inbox of a dataset.

    Args:
        name: name of the dataset.
        job: job that reads the dataset.
        inbox_of: returns the inbox; it depends on environment variables, so it is called at each evaluation.
        seconds: shortest interval between two evaluations.
    """

    @dg.sensor(
        name=f"{name}_incoming",
        job=job,
        description=f"Accepts a new {name}.json (or .jsonl, .ndjson, .csv, .parquet) from the watched folder and reads it. "
        "An invalid file is moved to rejected/, with its faults in a text file beside it.",
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={TABLES, dataset_settings_key(name)},
    )
    def incoming(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        inbox, cursor = inbox_of(), read_cursor(context.cursor)
        settings: DatasetRunSettings = getattr(context.resources, dataset_settings_key(name))
        cursor = {
            _SEEN: _process_new_files(context, inbox, cursor.get(_SEEN, {}), settings),
            _REQUESTED: cursor.get(_REQUESTED),
        }
        request = _request(context, inbox, cursor, settings)
        if isinstance(request, dg.SkipReason):
            return dg.SensorResult(skip_reason=request, cursor=json.dumps(cursor))
        return dg.SensorResult([request], cursor=json.dumps(cursor))

    return incoming


def read_cursor(cursor: str | None) -> dict[str, Any]:
    """Return the state that a sensor stored at its last evaluation, or {} if the cursor was reset or is not ours.

    >>> read_cursor('{"seen": {}}'), read_cursor(None), read_cursor("reset by hand")
    ({'seen': {}}, {}, {})
    """
    try:
        state = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def _process_new_files(
    context: dg.SensorEvaluationContext, inbox: Inbox, seen: Mapping[str, Any], settings: DatasetRunSettings
) -> dict[str, Any]:
    """Accept or reject the files that did not change since the last evaluation; return the stamps of the others."""
    changed: dict[str, Any] = {}
    for file in inbox.new_files():
        stamp = list(stamp_of(file) or ())
        # An object store has no half-written files, but a folder that is mounted from one may have them.
        if seen.get(file.name) != stamp:
            changed[file.name] = stamp
            continue
        faults = inbox.accept_or_reject(
            file, skip_invalid=settings.skip_invalid, min_candidates=min_candidates(settings)
        )
        if faults is not None:
            context.log.error(faults)
        else:
            context.log.info("%s is accepted", file.name)
    return changed


def _request(
    context: dg.SensorEvaluationContext, inbox: Inbox, cursor: dict[str, Any], settings: DatasetRunSettings
) -> dg.RunRequest | dg.SkipReason:
    """Return the request of a run that reads the accepted file, or why there is none; update the cursor."""
    accepted = inbox.accepted()
    stamp = None if accepted is None else list(stamp_of(accepted) or ())
    if accepted is None or stamp == cursor[_REQUESTED]:
        return dg.SkipReason(_no_file_message(context, inbox, cursor[_SEEN]))
    # Searches that are running must end with the prompts that they began with.
    if (run := unfinished_run(context.instance, dataset_tags(inbox.dataset))) is not None:
        return dg.SkipReason(f"{accepted.name} is accepted; it is read when run {run.run_id} has ended")
    cursor[_REQUESTED] = stamp
    if _is_stored(context, accepted, inbox.dataset, settings):
        return dg.SkipReason(f"the contents of {accepted.name} are stored in {inbox.dataset} already")
    return dg.RunRequest(tags={ASKED_BY: INCOMING, "autosr/file": accepted.name})


def _is_stored(
    context: dg.SensorEvaluationContext, accepted: UPath, dataset: str, settings: DatasetRunSettings
) -> bool:
    """Return whether the stored dataset was read from a file with the same contents, in the same way."""
    new = DatasetSource.of_file(str(accepted), skip_invalid=settings.skip_invalid)
    stored = DatasetSource.of_stored(getattr(context.resources, TABLES).store, TableName.dataset(dataset))
    return new is not None and stored is not None and new[1:] == stored[1:]


def _no_file_message(context: dg.SensorEvaluationContext, inbox: Inbox, seen: Mapping[str, Any]) -> str:
    if seen:
        return f"waiting until {', '.join(seen)} no longer changes"
    message = f"no new file of {inbox.dataset} in {inbox.folder}"
    graph = context.repository_def.asset_graph if context.repository_def else None
    datasets = {key.path[0] for key in graph.get_all_asset_keys() if key.path[1:] == ["dataset"]} if graph else set()
    if unmatched := inbox.unmatched_files(frozenset({*datasets, inbox.dataset})):
        message += f"; ignored, since no dataset has their names: {', '.join(unmatched[:MOST_NAMED])}"
    return message
