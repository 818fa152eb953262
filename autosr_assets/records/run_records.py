"""The record of a run, beside its export: the manifest, and a script that repeats the run."""

import json
from collections.abc import Iterable
from typing import Any

from upath import UPath

from autosr_assets.records.manifest import RUN_FIELDS, are_equivalent
from autosr_assets.records.reproduce import reproduce_script
from autosr_lib.errors import StorageError
from autosr_lib.results.run_results import Manifest, store_run
from autosr_lib.storage.files import atomic_write, storage_errors, storage_path
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.run_results import PromptResult


def record_path(target: UPath, run_id: str, suffix: str = "manifest.json") -> UPath:
    """Return the path of a file in the record of a run.

    Args:
        target: path of the export.
        run_id: the run.
        suffix: which file of the record.
    """
    stem = target.name.removesuffix(".json")
    return target.parent / "run_records" / f"{stem}_{run_id}.{suffix}"


def with_identity_of_last_run(target: UPath, manifest: dict[str, Any], last_run: str | None) -> dict[str, Any]:
    """Return the manifest; if the last run has the same result, with the identity of that run, so that its record is kept.

    Args:
        target: path of the export.
        manifest: manifest of the current run.
        last_run: id of the run that wrote the export, or None.
    """
    if last_run is None:
        return manifest
    path = record_path(target, last_run)
    with storage_errors(path, "read"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    try:
        recorded = json.loads(text)
    except ValueError:
        return manifest
    if not isinstance(recorded, dict) or not are_equivalent(recorded, manifest):
        return manifest
    return {**manifest, **{name: recorded[name] for name in RUN_FIELDS if name in recorded}}


def read_record(path: str, run_id: str) -> tuple[UPath, Manifest]:
    """Return the path of the export that a run wrote, and the manifest in its record.

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
    """Write the manifest and the script of a run beside its export, and store its results in the table of runs.

    Raises:
        StorageError: they cannot be written.
    """
    path = record_path(target, manifest["run_id"])
    script = record_path(target, manifest["run_id"], "reproduce.sh")
    store_run(store, manifest, results)
    # The manifest is written last: if it exists, the record is complete.
    for record, text in (
        (script, reproduce_script(manifest, target.name.removesuffix(".json"))),
        (path, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"),
    ):
        with storage_errors(record, "write"), atomic_write(record) as file:
            file.write_text(text, encoding="utf-8")
