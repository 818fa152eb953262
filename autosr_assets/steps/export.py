"""The step of the asset `rubric_export`: it writes the export of a search, its report and its record."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import dagster as dg
from upath import UPath

from autosr_assets.records.manifest import run_manifest, search_description
from autosr_assets.records.run_records import keep_record, record_path, with_identity_of_last_run
from autosr_assets.runtime.home import data_home
from autosr_assets.views.metadata import held_out_table, picture
from autosr_assets.views.report import report_path, write_report
from autosr_assets.views.search_charts import search_charts
from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.pipeline.row_cache import RowCache
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.results.export import write_export
from autosr_lib.results.outcomes import PromptOutcome, read_outcomes
from autosr_lib.results.run_results import Manifest
from autosr_lib.results.summary import SearchSummary
from autosr_lib.results.totals import Totals, holdout_json
from autosr_lib.storage.files import storage_errors, storage_path
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.exports import ExportRow, export_table, read_export


class WrittenExport(NamedTuple):
    """A written export, the metadata of its asset, and the summary of its rows."""

    path: UPath
    metadata: dict[str, Any]
    summary: SearchSummary


def export_search(plan: SearchPlan, run: RunContext, run_id: str) -> WrittenExport:
    """Write the export of a search and its report; each best rubric is read once.

    If the contents are new, a record of the run is written beside the export. If they are those of the last export, the
    export keeps the record of that run.
    """
    store, target = run.store, export_target(plan)
    last = _last_export(plan, store)
    last_run = last.run_id if last is not None and last.path == str(target) else None

    def manifest_of(totals: Totals) -> Manifest:
        return with_identity_of_last_run(target, run_manifest(run_id, plan, store, totals), last_run)

    summary, manifest = write_export(target, best_outcomes(plan, store, run.cache), manifest_of)
    if manifest["run_id"] == run_id:
        keep_record(store, target, manifest, summary.results)
    row = ExportRow(
        str(target), fingerprint(search_description(plan, store)), summary.content_fingerprint, manifest["run_id"]
    )
    store.write(plan.export_table, None, export_table(row))
    write_report(store, target, manifest, summary)
    run.progress.exported(summary)
    charts = {
        name: picture(name.replace("_", " "), svg)
        for name, svg in search_charts(summary.histories, summary.totals.holdout).items()
    }
    metadata = {**charts, **export_metadata(summary.totals, target), **_manifest_metadata(target, manifest)}
    return WrittenExport(target, metadata, summary)


def export_target(plan: SearchPlan) -> UPath:
    """Return the path of a search's export: the setting `output`, else a file in the data home."""
    output = plan.settings.output
    return storage_path(output) if output else data_home() / "exports" / f"{plan.name}.json"


def is_exported(plan: SearchPlan, store: TableStore, content: str) -> bool:
    """Return whether the last export still exists and a new one would be the same.

    Args:
        plan: plan of the search.
        store: holds the tables of the search.
        content: fingerprint of the current best rubrics (`SearchSummary.content_fingerprint`).
    """
    target, last = export_target(plan), _last_export(plan, store)
    with storage_errors(target, "read"):
        exists = target.is_file()
    if last is None or not exists:
        return False
    return last[:3] == (str(target), fingerprint(search_description(plan, store)), content)


def _last_export(plan: SearchPlan, store: TableStore) -> ExportRow | None:
    rows = store.read(plan.export_table)
    return None if rows is None else read_export(rows)


def best_outcomes(plan: SearchPlan, store: TableStore, cache: RowCache | None = None) -> Iterator[PromptOutcome]:
    """Yield the outcome of every prompt of a search, in the order of the dataset.

    Args:
        plan: plan of the search.
        store: holds the tables of the search.
        cache: best rubrics that the run has made; they are removed from it instead of being read from the store.
    """
    rows_in_memory = RowCache() if cache is None else cache
    return read_outcomes(
        store,
        plan.best_table,
        store.stored(plan.dataset.dataset_table),
        lambda prompt_id: rows_in_memory.pop((plan.best_table, prompt_id)),
    )


def export_metadata(totals: Totals, target: UPath) -> dict[str, Any]:
    """Return the metadata of the export: held-out accuracy with its interval, totals and paths."""
    calls = asdict(totals.calls) if totals.rubrics else {}
    metadata: dict[str, Any] = {
        "path": dg.MetadataValue.path(str(target)),
        "report": dg.MetadataValue.path(str(report_path(target))),
        "prompts": totals.prompts,
        "rubrics": totals.rubrics,
        "incomplete": totals.incomplete,
        "failed": len(totals.failed),
        "failed_prompts": "; ".join(f"{name}: {error}" for name, error in list(totals.failed.items())[:20]) or "none",
        "stopped": totals.stop_counts,
        "judge_calls": totals.judge_calls,
        **{f"calls_{name}": count for name, count in calls.items()},
    }
    if (summary := totals.holdout) is not None:
        metadata["held_out"] = held_out_table(summary)
        metadata["holdout_accuracy"] = dg.MetadataValue.json(holdout_json(summary) or {})
    return metadata


def _manifest_metadata(target: UPath, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest as metadata, and the paths of the files in its record."""
    return {
        "run_manifest": dg.MetadataValue.json(dict(manifest)),
        "recorded_run": manifest["run_id"],
        "record": dg.MetadataValue.path(str(record_path(target, manifest["run_id"]))),
        "reproduce": dg.MetadataValue.path(str(record_path(target, manifest["run_id"], "reproduce.sh"))),
    }
