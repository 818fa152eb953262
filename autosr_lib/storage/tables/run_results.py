"""The result of each prompt of a run, in few numbers; the tables `runs` and `comparison` hold them.

The table `runs` has one partition per run, with the run's manifest in the schema's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from autosr_lib.storage.tables.columns import FLOAT, INT, STRING, Columns, Status, field

RUN_RESULTS = pa.schema(
    [
        field("prompt_id", STRING, "The prompt."),
        field("status", STRING, "done, incomplete or failed."),
        field("rubric", STRING, "Name of the rubric to use, weights and all; equal means the same. Null if failed."),
        field("objective", FLOAT, "Objective of the measured rubric; compares rubrics of one prompt only."),
        field("holdout_pairs", INT, "Reference-ordered pairs that touch a hidden candidate."),
        field("holdout_best", FLOAT, "Pairs of these that the measured rubric orders rightly, ties half."),
        field("unseen_pairs", INT, "Reference-ordered pairs of two hidden candidates."),
        field("unseen_best", FLOAT, "Pairs of these that the measured rubric orders rightly, ties half."),
        field("calls", INT, "Requests of the whole search, the judge's apart."),
    ]
)
COMPARISON = pa.schema([field("search", STRING, "The search."), *RUN_RESULTS])
"""The table of a comparison: one row is one prompt in one search."""
_MANIFEST = b"autosr.manifest"


class ResultFigures(NamedTuple):
    """The rubric that a search chose for a prompt, in few numbers."""

    rubric: str
    """Fingerprint of the rubric to use with its weights; equal fingerprints mean the same rubric."""
    objective: float
    """Of the measured rubric; compares rubrics of one prompt only."""
    holdout_pairs: int
    """Pairs that touch a hidden candidate and that the reference orders."""
    holdout_best: float
    """How many of them the measured rubric orders correctly; a tie counts half."""
    unseen_pairs: int
    """Pairs of two hidden candidates that the reference orders."""
    unseen_best: float
    """How many of them the measured rubric orders correctly; a tie counts half."""
    calls: int
    """Requests of the prompt's search, without the judge's."""


class PromptResult(NamedTuple):
    """The result of one prompt."""

    prompt_id: str
    status: Status
    figures: ResultFigures | None
    """None where the prompt failed or has left the dataset."""


def run_table(manifest: Mapping[str, Any], results: Iterable[PromptResult]) -> pa.Table:
    """Return the results of a run, with its manifest in the schema's metadata."""
    rows = pa.Table.from_pylist([_columns(result) for result in results], schema=RUN_RESULTS)
    text = json.dumps(manifest, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), _MANIFEST: text})


def read_results(rows: pa.Table) -> list[PromptResult]:
    """Return the results of a run.

    >>> result = PromptResult("p1", Status.DONE, ResultFigures("9f3a", 0.8, 4, 3.0, 1, 0.5, 20))
    >>> read_results(run_table({"run_id": "r1"}, [result])) == [result]
    True
    """
    return [_read_result(row) for row in rows.to_pylist()]


def read_run_manifest(rows: pa.Table) -> dict[str, Any]:
    """Return the manifest in the schema's metadata of a run's table.

    >>> read_run_manifest(run_table({"run_id": "r1"}, []))
    {'run_id': 'r1'}
    """
    manifest: dict[str, Any] = json.loads(rows.schema.metadata[_MANIFEST].decode("utf-8", "surrogatepass"))
    return manifest


def comparison_table(results_by_search: Mapping[str, Iterable[PromptResult]]) -> pa.Table:
    """Return the results of several searches as one table.

    >>> failed = PromptResult("p1", Status.FAILED, None)
    >>> comparison_table({"first": [failed], "second": [failed]})["search"].to_pylist()
    ['first', 'second']
    """
    rows = [
        {"search": search, **_columns(result)} for search, results in results_by_search.items() for result in results
    ]
    return pa.Table.from_pylist(rows, schema=COMPARISON)


def _columns(result: PromptResult) -> Columns:
    figures = {} if result.figures is None else result.figures._asdict()
    return {"prompt_id": result.prompt_id, "status": str(result.status), **figures}


def _read_result(row: Columns) -> PromptResult:
    has_rubric = row["rubric"] is not None
    figures = ResultFigures(*(row[name] for name in ResultFigures._fields)) if has_rubric else None
    return PromptResult(row["prompt_id"], Status(row["status"]), figures)
