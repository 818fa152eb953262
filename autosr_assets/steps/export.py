"""What the asset `rubric_export` does: the JSON of a whole search, from the tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
from upath import UPath

from autosr_assets.records.manifest import Manifest, run_manifest, search_description
from autosr_assets.records.run_records import keep_record, record_path, with_its_record
from autosr_assets.runtime.home import data_home
from autosr_assets.views.metadata import held_out_table, picture
from autosr_assets.views.report import Digest, report_path, write_report
from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.results.export import Totals, holdout_json, write_export
from autosr_lib.results.run_results import result_of
from autosr_lib.storage.files import storage_errors, storage_path
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.rows import Row
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables import Status

EXPORT = "rubric_export"


EXPORTED = pa.schema([("path", pa.string()), ("told", pa.string()), ("content", pa.string()), ("run_id", pa.string())])
"""The table of the export: where it went, and the names of what it says; equal names mean an equal export."""


def export_search(plan: SearchPlan, store: TableStore, run_id: str) -> tuple[UPath, dict[str, Any]]:
    """Write the export of a search, in the order of the dataset, and return where it is and what is published of it.

    An export that says something new gets a record beside it; one that says the same again keeps the record it has.
    """
    target = export_target(plan)
    last = _last_export(plan, store)
    last_run = last["run_id"] if last and last["path"] == str(target) else None
    seen, results = list[list[str | None]](), list[Row]()

    def rows() -> Iterator[Row]:
        for row in best_rows(plan, store):
            seen.append([row["prompt_id"], row["status"], row.get("input_fingerprint")])
            results.append(result_of(row))
            yield row

    def manifest_of(totals: Totals) -> Manifest:
        return with_its_record(target, run_manifest(run_id, plan, store, totals), last_run)

    digest = Digest()
    totals, manifest = write_export(target, digest.watched(rows()), manifest_of)
    if manifest["run_id"] == run_id:
        keep_record(store, target, manifest, results)
    record = {
        "path": str(target),
        "told": fingerprint(search_description(plan, store)),
        "content": fingerprint(seen),
        "run_id": manifest["run_id"],
    }
    store.write(plan.table(EXPORT), None, pa.Table.from_pylist([record], schema=EXPORTED))
    write_report(store, target, manifest, totals, digest)
    charts = {
        name: picture(name.replace("_", " "), svg) for name, svg in digest.histories.charts(totals.holdout).items()
    }
    return target, {**charts, **export_metadata(totals, target), **_manifest_metadata(target, manifest)}


def export_target(plan: SearchPlan) -> UPath:
    """Return where the export of a search goes."""
    named = plan.settings.output
    return storage_path(named) if named else data_home() / "exports" / f"{plan.name}.json"


def is_exported(plan: SearchPlan, store: TableStore, content: str) -> bool:
    """Return whether the last export is where it should be and says what it would say again.

    Args:
        plan: of the search.
        store: with its tables.
        content: the fingerprint of (prompt, status, input fingerprint) of its best rubrics, in the dataset's order.
    """
    target, last = export_target(plan), _last_export(plan, store)
    with storage_errors(target, "read"):
        is_there = target.is_file()
    if last is None or not is_there:
        return False
    return (last["path"], last["told"], last["content"]) == (
        str(target),
        fingerprint(search_description(plan, store)),
        content,
    )


def _last_export(plan: SearchPlan, store: TableStore) -> Row | None:
    rows = store.read(plan.table(EXPORT))
    return None if rows is None else rows.to_pylist()[0]


def best_rows(plan: SearchPlan, store: TableStore, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Yield the rows of the best rubrics with the prompts' texts, in the order of the dataset.

    A prompt without a row counts as failed.
    """
    return rows_in_order(store, plan.best_table, store.stored(plan.dataset.dataset_table), columns)


def rows_in_order(
    store: TableStore, table: str, dataset: StoredTable, columns: Sequence[str] | None = None
) -> Iterator[Row]:
    """Yield the rows of a table of best rubrics, as `best_rows` does; it takes no settings."""
    parts = dataset.read_batches(["prompt_id", "status", "prompt"])
    for entry in (entry for part in parts for entry in part.to_pylist()):
        if entry["status"] == Status.WITHDRAWN:
            continue
        rows = store.read(table, partition_key(entry["prompt_id"]), columns)
        row = None if rows is None else rows.to_pylist()[0]
        if row is None or row["status"] == Status.WITHDRAWN:
            yield {"prompt_id": entry["prompt_id"], "status": Status.FAILED, "error": "not searched yet"}
        else:
            yield {**row, "prompt": entry["prompt"]}


def export_metadata(totals: Totals, target: UPath) -> dict[str, Any]:
    """Return what the export publishes: accuracy with its interval, totals, paths."""
    metadata: dict[str, Any] = {
        "path": dg.MetadataValue.path(str(target)),
        "report": dg.MetadataValue.path(str(report_path(target))),
        "prompts": totals.prompts,
        "rubrics": totals.done,
        "incomplete": totals.incomplete,
        "failed": len(totals.failed),
        "failed_prompts": "; ".join(f"{name}: {error}" for name, error in list(totals.failed.items())[:20]) or "none",
        "stopped": ", ".join(f"{reason} {count}" for reason, count in sorted(totals.stopped.items())),
        "judge_calls": totals.judge_calls,
        **{f"calls_{name}": count for name, count in totals.calls.items()},
    }
    if (summary := totals.holdout) is not None:
        metadata["held_out"] = held_out_table(summary)
        metadata["holdout_accuracy"] = dg.MetadataValue.json(holdout_json(summary) or {})
    return metadata


def _manifest_metadata(target: UPath, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest as the materialization has it, and where its record lies."""
    return {
        "run_manifest": dg.MetadataValue.json(dict(manifest)),
        "recorded_run": manifest["run_id"],
        "record": dg.MetadataValue.path(str(record_path(target, manifest["run_id"]))),
        "reproduce": dg.MetadataValue.path(str(record_path(target, manifest["run_id"], "reproduce.sh"))),
    }
