"""The table `rubric_export`: its one row says where a search's last export went and what it was made from."""

from typing import NamedTuple

import pyarrow as pa

EXPORTS = pa.schema([("path", pa.string()), ("told", pa.string()), ("content", pa.string()), ("run_id", pa.string())])


class ExportRow(NamedTuple):
    """The last export of a search; equal rows mean an equal export."""

    path: str
    request_fingerprint: str
    """Of the settings, the dataset and who answers the roles: the column `told`."""
    content_fingerprint: str
    """Of the status and input fingerprint of every prompt's best rubric: the column `content`."""
    run_id: str
    """The run that is on record for the export."""


def export_table(row: ExportRow) -> pa.Table:
    """Return the table of an export."""
    return pa.Table.from_pylist([dict(zip(EXPORTS.names, row, strict=True))], schema=EXPORTS)


def read_export(table: pa.Table) -> ExportRow:
    """Return the row of a table; the inverse of `export_table`.

    >>> row = ExportRow("out.json", "1f", "2e", "run-1")
    >>> read_export(export_table(row)) == row
    True
    """
    (struct,) = table.to_pylist()
    return ExportRow(*(struct[name] for name in EXPORTS.names))
