"""What all tables share: the status of a row, the leading columns, and helpers that define columns.

Every column has a description of what it holds and in which unit. A partitioned table has one file per prompt. Its
leading columns are the same in every such table (`COMMON`), so missing, failed and stale prompts can be found by
reading two columns.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

RowType = TypeVar("RowType", bound=NamedTuple)
Columns = dict[str, Any]
"""Values by column name: what Arrow makes a row of."""


class Status(StrEnum):
    """The state of a prompt's rows in a table."""

    DONE = "done"
    INCOMPLETE = "incomplete"
    """A grade, verdict or reply is missing, here or in an earlier table; the next run asks for it again."""
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class RowStatus(NamedTuple):
    """The status of a prompt's rows and what they were computed from; reads only these three columns."""

    status: Status
    error: str | None
    """Why the prompt failed; None otherwise."""
    input_fingerprint: str | None
    """Hash of everything that the rows depend on."""

    @property
    def is_usable(self) -> bool:
        """Return whether the prompt neither failed nor left the dataset."""
        return self.status in (Status.DONE, Status.INCOMPLETE)


class UnsuccessfulRow(NamedTuple):
    """The row of a prompt without a result: it failed, has left the dataset, or has not been searched yet."""

    prompt_id: str
    status: Status
    error: str | None
    input_fingerprint: str | None


def field(name: str, kind: pa.DataType, description: str) -> pa.Field[Any]:
    """Return a column with its description.

    >>> field("hardness", FLOAT, "0.5 is easy.").metadata
    {b'description': b'0.5 is easy.'}
    """
    return pa.field(name, kind, metadata={"description": description})


def list_of(*fields: pa.Field[Any]) -> pa.DataType:
    """Return the type of a list of structs with these fields."""
    return pa.list_(pa.struct(list(fields)))


STRING, FLOAT, INT, BOOL = pa.string(), pa.float64(), pa.int64(), pa.bool_()
STRINGS = pa.list_(STRING)

COMMON = [
    field("prompt_id", STRING, "The prompt; also the partition."),
    field("status", STRING, "done, incomplete (something ungraded: asked again), failed, or withdrawn."),
    field("error", STRING, "Why the prompt failed; null otherwise."),
    field("input_fingerprint", STRING, "Hash of all that this row depends on; equal means nothing to do."),
]


def common_columns(
    prompt_id: str, fingerprint: str | None, status: Status = Status.DONE, error: str | None = None
) -> Columns:
    """Return the leading columns of a row.

    >>> common_columns("p1", "9f3a")
    {'prompt_id': 'p1', 'status': 'done', 'error': None, 'input_fingerprint': '9f3a'}
    """
    return {"prompt_id": prompt_id, "status": str(status), "error": error, "input_fingerprint": fingerprint}


def unsuccessful_table(row: UnsuccessfulRow, schema: pa.Schema) -> pa.Table:
    """Return the table of a prompt without a result: one row whose columns beyond `COMMON` are null."""
    columns = common_columns(row.prompt_id, row.input_fingerprint, row.status, row.error)
    return pa.Table.from_pylist([columns], schema=schema)


def read_row_status(rows: pa.Table) -> RowStatus:
    """Return the status of a prompt's rows; `rows` needs the columns `RowStatus._fields`.

    >>> schema = pa.schema(COMMON)
    >>> read_row_status(unsuccessful_table(UnsuccessfulRow("p1", Status.FAILED, "no reply", "9f3a"), schema))
    RowStatus(status=<Status.FAILED: 'failed'>, error='no reply', input_fingerprint='9f3a')
    """
    status, error, fingerprint = (rows[name][0].as_py() for name in RowStatus._fields)
    return RowStatus(Status(status), error, fingerprint)


def read_status(rows: pa.Table) -> Status:
    """Return the status of a prompt's rows; `rows` needs the column `status` only."""
    return Status(rows["status"][0].as_py())


def read_flat(row_type: type[RowType], rows: pa.Table) -> list[RowType]:
    """Return one value per row of a type whose fields are named after columns that hold plain values."""
    columns = [rows[name].to_pylist() for name in row_type._fields]
    return [row_type(*values) for values in zip(*columns, strict=True)]
