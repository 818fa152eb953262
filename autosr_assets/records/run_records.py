"""The record of a run beside its export: the manifest, and a script that repeats the run."""

import json
from collections.abc import Iterable
from typing import Any

from upath import UPath

from autosr_assets.records.manifest import OF_THE_RUN, Manifest, says_the_same
from autosr_assets.records.reproduce import reproduce_script
from autosr_lib.errors import StorageError
from autosr_lib.results.run_results import store_run
from autosr_lib.storage.files import atomic_write, storage_errors, storage_path
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.run_results import PromptResult


def record_path(target: UPath, run_id: str, suffix: str = "manifest.json") -> UPath:
    """Return the path of a file of the record of a run that wrote this export."""
    stem = target.name.removesuffix(".json")
    return target.parent / "run_records" / f"{stem}_{run_id}.{suffix}"


def with_its_record(target: UPath, manifest: dict[str, Any], last_run: str | None) -> dict[str, Any]:
    """Return the manifest; where the last run got the same results, with that run's identity, so that its record stays."""
    path = None if last_run is None else record_path(target, last_run)
    if path is None:
        return manifest
    with storage_errors(path, "read"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    try:
        recorded = json.loads(text)
    except ValueError:
        return manifest
    if not isinstance(recorded, dict) or not says_the_same(recorded, manifest):
        return manifest
    return {**manifest, **{name: recorded[name] for name in OF_THE_RUN if name in recorded}}


def read_record(path: str, run_id: str) -> tuple[UPath, Manifest]:
    """Return the export that a run wrote to `path`, and the manifest of its record.

    Raises:
        StorageError: there is no record, or it cannot be read.
    """
    target = storage_path(path)
    record = record_path(target, run_id)
    with storage_errors(record, "read"):
        text = record.read_text(encoding="utf-8")
    try:
        manifest: Manifest = json.loads(text)
    except ValueError as error:
        raise StorageError(f"cannot read {record}: {error}; run the search again to write it") from error
    return target, manifest


def keep_record(store: TableStore, target: UPath, manifest: Manifest, results: Iterable[PromptResult]) -> None:
    """Write a run's manifest and script beside its export, and store its results in the table of runs.

    Raises:
        StorageError: they cannot be written.
    """
    path = record_path(target, manifest["run_id"])
    script = record_path(target, manifest["run_id"], "reproduce.sh")
    store_run(store, manifest, results)
    # The manifest is last: where it exists, the record is complete.
    for record, text in (
        (script, reproduce_script(manifest, target.name.removesuffix(".json"))),
        (path, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"),
    ):
        with storage_errors(record, "write"), atomic_write(record) as file:
            file.write_text(text, encoding="utf-8")
