"""What a run came to, prompt by prompt: few numbers, kept so that runs and searches can be set side by side."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.storage.rows import Row
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables import Status

RUNS = "runs"
"""The table of runs: a partition a run, its manifest beside the rows."""
_MANIFEST = b"autosr.manifest"


def _field(name: str, kind: pa.DataType, says: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": says})


RESULTS = pa.schema(
    [
        _field("prompt_id", pa.string(), "The prompt."),
        _field("status", pa.string(), "done, incomplete or failed."),
        _field(
            "rubric", pa.string(), "Name of the rubric to use, weights and all; equal means the same. Null if failed."
        ),
        _field("objective", pa.float64(), "Objective of the measured rubric; compares rubrics of one prompt only."),
        _field("holdout_pairs", pa.int64(), "Reference-ordered pairs that touch a hidden candidate."),
        _field("holdout_best", pa.float64(), "Pairs of these that the measured rubric orders rightly, ties half."),
        _field("unseen_pairs", pa.int64(), "Reference-ordered pairs of two hidden candidates."),
        _field("unseen_best", pa.float64(), "Pairs of these that the measured rubric orders rightly, ties half."),
        _field("calls", pa.int64(), "Requests of the whole search, the judge's apart."),
    ]
)
BEST_COLUMNS = [
    "prompt_id", "status", "error", "rubric", "best", "holdout_pairs", "holdout_best", "unseen_pairs", "unseen_best", "calls",
]  # fmt: skip
"""Columns of the table of best rubrics that a result is made of."""


def result_of(row: Row) -> Row:
    """Return the result of one row of the table of best rubrics."""
    if row["status"] in (Status.FAILED, Status.WITHDRAWN):
        return {"prompt_id": row["prompt_id"], "status": row["status"]}
    calls = row["calls"]
    return {
        **{name: row[name] for name in RESULTS.names if name in row},
        "rubric": fingerprint(row["rubric"]),
        "objective": row["best"]["objective"],
        "calls": calls["initializer"] + calls["proposer"] + calls["verifier"],
    }


def has_rubric(result: Row) -> bool:
    """Return whether the prompt neither failed nor left the dataset."""
    return result.get("rubric") is not None


def keep_run(store: TableStore, manifest: Mapping[str, Any], results: Iterable[Row]) -> None:
    """Store a run: its manifest, and the result of each prompt."""
    rows = pa.Table.from_pylist(list(results), schema=RESULTS)
    mark = {_MANIFEST: json.dumps(manifest, ensure_ascii=False).encode("utf-8", "surrogatepass")}
    store.write(RUNS, manifest["run_id"], rows.replace_schema_metadata({**(rows.schema.metadata or {}), **mark}))


def read_run(store: TableStore, run_id: str) -> tuple[dict[str, Any], list[Row]]:
    """Return a run's manifest and the result of each prompt.

    Raises:
        StorageError: there is no such run.
    """
    rows = store.stored(RUNS, run_id).read()
    return manifest_in(rows), rows.to_pylist()


def read_manifests(store: TableStore) -> list[dict[str, Any]]:
    """Return the manifests of all runs, the latest first."""
    found = [manifest_in(rows) for _, rows in store.scan(RUNS, ["status"])]
    return sorted(found, key=lambda manifest: (manifest["at"], manifest["run_id"]), reverse=True)


def manifest_in(rows: pa.Table) -> dict[str, Any]:
    """Return the manifest that lies beside the rows of a run."""
    manifest: dict[str, Any] = json.loads(rows.schema.metadata[_MANIFEST].decode("utf-8", "surrogatepass"))
    return manifest
