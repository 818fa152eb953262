"""The table `candidates`: one row is what was sampled for one prompt from the dataset's pool of models."""

from typing import NamedTuple

import pyarrow as pa

from autosr_lib.evaluation.responses import SamplingResult
from autosr_lib.storage.tables.columns import (
    COMMON,
    INT,
    RowStatus,
    Status,
    common_columns,
    field,
    list_of,
    read_row_status,
)
from autosr_lib.storage.tables.structs import CANDIDATE, candidate_columns, read_candidates

CANDIDATES = pa.schema(
    [
        *COMMON,
        field("candidates", list_of(*CANDIDATE), "Sampled for the prompt; none where it has enough of its own."),
        field("calls", INT, "Requests to the models of the pool, cached or not."),
        field("failed", INT, "Samples without a response; requested again in the next run."),
        field("repeated", INT, "Responses that were dropped because another candidate has the same text."),
    ]
)
CALL_COLUMNS = ("calls",)


class SampledRow(NamedTuple):
    """What was sampled for a prompt, and the status of the row."""

    row_status: RowStatus
    sampled: SamplingResult | None
    """None where the prompt failed or has left the dataset."""


def candidates_table(prompt_id: str, fingerprint: str, sampled: SamplingResult) -> pa.Table:
    """Return the table of a prompt's sampled candidates: one row, also if the prompt needed none."""
    row = common_columns(prompt_id, fingerprint, Status.INCOMPLETE if sampled.failed else Status.DONE) | {
        "candidates": candidate_columns(sampled.candidates),
        "calls": sampled.calls,
        "failed": sampled.failed,
        "repeated": sampled.repeated,
    }
    return pa.Table.from_pylist([row], schema=CANDIDATES)


def read_sampled(rows: pa.Table) -> SampledRow:
    """Return what a prompt's table holds; the inverse of `candidates_table`."""
    row_status = read_row_status(rows)
    if not row_status.is_usable:
        return SampledRow(row_status, None)
    row = rows.to_pylist()[0]
    sampled = SamplingResult(read_candidates(row["candidates"]), row["calls"], row["failed"], row["repeated"])
    return SampledRow(row_status, sampled)


def read_sampling_calls(rows: pa.Table) -> int:
    """Return the requests that sampled a prompt's candidates; `rows` needs `CALL_COLUMNS` only."""
    return rows["calls"][0].as_py() or 0
