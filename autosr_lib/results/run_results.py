"""The recorded runs: the manifest of each run and the result of each of its prompts, for comparisons of runs."""

from collections.abc import Iterable, Mapping
from typing import Any

from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.run_results import PromptResult, read_results, read_run_manifest, run_table

Manifest = Mapping[str, Any]
"""The manifest of a run, as JSON."""


def store_run(store: TableStore, manifest: Manifest, results: Iterable[PromptResult]) -> None:
    """Store a run: its manifest, and the result of each prompt."""
    store.write(TableName.runs(), manifest["run_id"], run_table(manifest, results))


def read_run_results(store: TableStore, run_id: str) -> list[PromptResult]:
    """Return the result of each prompt of a run.

    Raises:
        StorageError: there is no such run.
    """
    return read_results(store.stored(TableName.runs(), run_id).read())


def read_manifests(store: TableStore) -> list[dict[str, Any]]:
    """Return the manifests of all runs, the latest first."""
    manifests = [read_run_manifest(rows) for _, rows in store.scan(TableName.runs(), ["status"])]
    return sorted(manifests, key=lambda manifest: (manifest["at"], manifest["run_id"]), reverse=True)
