"""Files of responses to be scored, and the same files with their scores: JSON Lines, CSV and Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autosr_lib.errors import DatasetError, StorageError
from autosr_lib.reward.scored import Scored
from autosr_lib.storage.strict_json import JsonError, one_line, parse_json, shown

Row = dict[str, Any]

ADDED = ("score", "ungraded", "grades", "scored_by")
"""Columns that scoring adds; nobody may have filled them before."""
MOST_FAULTS = 1000

GRADES = pa.list_(
    pa.struct(
        [
            ("criterion_id", pa.string()),
            ("text", pa.string()),
            ("weight", pa.float64()),
            ("grade", pa.float64()),
            ("votes", pa.list_(pa.float64())),
            ("reasons", pa.list_(pa.string())),
            ("is_applicable", pa.bool_()),
            ("measure", pa.string()),
        ]
    )
)


def read_responses(path: Path) -> list[Row]:
    """Return the rows of a file, each with `prompt_id`, `response` and whatever else it has.

    Raises:
        DatasetError: the file cannot be read, or rows lack what is needed; names each place.
    """
    rows = _read(path)
    faults = [fault for place, row in enumerate(rows, 1) for fault in _faults(f"row {place}: ", row)]
    if not rows:
        faults = ["holds no rows; give at least one"]
    if faults:
        raise DatasetError(str(path), faults[:MOST_FAULTS])
    return rows


def read_scored(path: Path) -> list[Row]:
    """Return the rows of an output of before, none if there is none; a broken one is none."""
    try:
        return _read(path) if path.is_file() else []
    except DatasetError:
        return []


def write_scored(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows in the format that the suffix names; whole, or not at all.

    Raises:
        StorageError: the place cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[path.suffix.lower()](part, rows)
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_suffix(path: Path) -> None:
    """See that a file is of a format that is known.

    Raises:
        DatasetError: it is of another.
    """
    if path.suffix.lower() not in _WRITERS:
        raise DatasetError(str(path), [f"{path.suffix or 'no'} suffix; allowed are {', '.join(_WRITERS)}"])


def added_columns(scored: Scored, scored_by: str) -> Row:
    """Return what scoring adds to a row."""
    told = scored.as_json()
    return {"score": told["score"], "ungraded": told["ungraded"], "grades": told["grades"], "scored_by": scored_by}


NOT_SCORED: Row = dict.fromkeys(ADDED)
"""What is added to a row that was not asked for."""


def _faults(place: str, row: Row) -> Iterable[str]:
    for name in ("prompt_id", "response"):
        if name not in row or row[name] is None:
            yield f"{place}{name} is missing"
        elif not isinstance(row[name], str):
            yield f"{place}{name} is {shown(row[name])}; must be text"
    for name in ADDED:
        if name in row:
            yield f"{place}{name} is a column that scoring adds; rename yours"


def _read(path: Path) -> list[Row]:
    check_suffix(path)
    try:
        data = path.read_bytes()
        return _READERS[path.suffix.lower()](data)
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        raise DatasetError(str(path), [f"cannot be read: {one_line(error)}"]) from error


def _read_json_lines(data: bytes) -> list[Row]:
    rows: list[Row] = []
    # Only \n ends a line: U+2028 and its like are allowed inside JSON strings.
    for number, line in enumerate(data.decode("utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except JsonError as error:
            raise ValueError(f"line {number}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"line {number}: {shown(row)} is no object")  # noqa: TRY004 - of the file, not of a type
        rows.append(dict(row))
    return rows


def _read_csv(data: bytes) -> list[Row]:
    text = data.decode("utf-8-sig")
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    if any(None in row or None in row.values() for row in rows):
        raise ValueError("a row has more or fewer cells than the header; quote cells that hold commas")
    return [dict(row) for row in rows]


def _read_parquet(data: bytes) -> list[Row]:
    rows: list[Row] = pq.ParquetFile(pa.BufferReader(data)).read().to_pylist()
    return rows


def _write_json_lines(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for row in rows:
            grades = None if row["grades"] is None else json.dumps(row["grades"], ensure_ascii=False)
            writer.writerow({**row, "grades": grades})


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    table = pa.Table.from_pylist([{name: row[name] for name in row if name not in ADDED} for row in rows])
    for name, kind in (
        ("score", pa.float64()),
        ("ungraded", pa.float64()),
        ("grades", GRADES),
        ("scored_by", pa.string()),
    ):
        table = table.append_column(name, pa.array([row[name] for row in rows], kind))
    pq.write_table(table, path)


_READERS: Mapping[str, Callable[[bytes], list[Row]]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
_WRITERS: Mapping[str, Callable[[Path, Sequence[Row]], None]] = {
    ".jsonl": _write_json_lines,
    ".ndjson": _write_json_lines,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
