"""Files of rows in JSON Lines, CSV or Parquet: read one row after the other, and written atomically.

Nothing here knows what a column means.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from autosr_lib.errors import DatasetError
from autosr_lib.storage.files import atomic_write, storage_errors, storage_path
from autosr_lib.storage.row_formats import CsvFile, read_json_lines, read_parquet_rows
from autosr_lib.storage.strict_json import preview, printable_message


@dataclass(frozen=True)
class FileRow:
    """A row of a file, by column; `fault` says why it cannot be used, and is empty if it can."""

    location: str
    """Where the row is in its file: "line 7" of JSON Lines, "row 7" of CSV (the header is row 1) or Parquet."""
    values: dict[str, Any]
    fault: str = ""


def read_rows(path: Path) -> Iterator[FileRow]:
    """Yield the rows of a file, in the format that its suffix names.

    Raises:
        DatasetError: The file cannot be read, or has another suffix.
    """
    check_row_suffix(path)
    try:
        with path.open("rb") as file:
            yield from _FORMATS[path.suffix.lower()].read(file, str(path))
    except OSError as error:
        raise DatasetError(str(path), [f"cannot be read: {printable_message(error)}"]) from error


def check_row_suffix(path: Path) -> None:
    """Check that `read_rows` and `write_rows` know the suffix of a file.

    Raises:
        DatasetError: They do not; the message lists the allowed suffixes.

    >>> check_row_suffix(Path("scores.txt"))
    Traceback (most recent call last):
    autosr_lib.errors.DatasetError: scores.txt: .txt suffix; allowed are .jsonl, .ndjson, .csv, .parquet
    """
    if path.suffix.lower() not in _FORMATS:
        raise DatasetError(str(path), [f"{path.suffix or 'no'} suffix; allowed are {', '.join(_FORMATS)}"])


def _rows_of_json_lines(file: BinaryIO, where: str) -> Iterator[FileRow]:
    for line in read_json_lines(file, where):
        is_object = isinstance(line.value, dict)
        fault = "" if is_object else f"{line.location}: {preview(line.value)} is not an object"
        yield FileRow(line.location, dict(line.value) if isinstance(line.value, dict) else {}, line.fault or fault)


def _rows_of_csv(file: BinaryIO, where: str) -> Iterator[FileRow]:
    table = CsvFile(file, where)
    for row in table.rows():
        yield FileRow(row.location, dict(zip(table.columns, row.cells, strict=False)), row.fault)


def _rows_of_parquet(file: BinaryIO, where: str) -> Iterator[FileRow]:
    for number, values in enumerate(read_parquet_rows(file, where), start=1):
        yield FileRow(f"row {number}", values)


ColumnTypes: TypeAlias = Mapping[str, pa.DataType]
"""The Arrow types of columns by name."""


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], types: ColumnTypes) -> None:
    """Write the rows atomically, in the format of the suffix.

    Args:
        path: The file; its suffix passes `check_row_suffix`.
        rows: All rows, with the same columns.
        types: Types of the last columns. Parquet infers the types of the others; in CSV, a column of a nested type is
            written as JSON.

    Raises:
        StorageError: The file cannot be written.
    """
    with storage_errors(path, "write"), atomic_write(storage_path(path)) as file:
        _FORMATS[path.suffix.lower()].write(file, rows, types)


def _write_json_lines(path: Path, rows: Sequence[Mapping[str, Any]], _types: ColumnTypes) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]], types: ColumnTypes) -> None:
    nested = [name for name, kind in types.items() if pa.types.is_nested(kind)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            texts = {name: json.dumps(row[name], ensure_ascii=False) for name in nested if row[name] is not None}
            writer.writerow({**row, **texts})


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], types: ColumnTypes) -> None:
    table = pa.Table.from_pylist([{name: row[name] for name in row if name not in types} for row in rows])
    for name, kind in types.items():
        table = table.append_column(name, pa.array([row[name] for row in rows], kind))
    pq.write_table(table, path)


@dataclass(frozen=True)
class _RowFormat:
    read: Callable[[BinaryIO, str], Iterator[FileRow]]
    write: Callable[[Path, Sequence[Mapping[str, Any]], ColumnTypes], None]


_FORMATS = {
    ".jsonl": _RowFormat(_rows_of_json_lines, _write_json_lines),
    ".ndjson": _RowFormat(_rows_of_json_lines, _write_json_lines),
    ".csv": _RowFormat(_rows_of_csv, _write_csv),
    ".parquet": _RowFormat(_rows_of_parquet, _write_parquet),
}
