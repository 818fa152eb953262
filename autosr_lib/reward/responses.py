"""Files of responses to be scored, and the same files with their scores."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from autosr_lib.errors import DatasetError
from autosr_lib.reward.scored import Scored
from autosr_lib.storage.row_files import read_rows, write_rows
from autosr_lib.storage.strict_json import preview

Row: TypeAlias = dict[str, Any]
"""A response with its `prompt_id` and all other columns of its file."""

_MAX_FAULTS = 1000
"""Most faults of a file that an error lists."""

_GRADES = pa.list_(
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
_SCORE_COLUMNS = {"score": pa.float64(), "ungraded": pa.float64(), "grades": _GRADES, "scored_by": pa.string()}
"""The columns that scoring adds, with their Arrow types. Files of responses must not have them."""

NOT_SCORED: Row = dict.fromkeys(_SCORE_COLUMNS)
"""The added columns of a row that was not scored."""


def read_responses(path: Path) -> list[Row]:
    """Return the rows of a file; each has a `prompt_id`, a `response` and any other columns.

    Raises:
        DatasetError: The file cannot be read, or rows lack a required column; names each location.
    """
    rows, faults = list[Row](), list[str]()
    for row in read_rows(path):
        rows.append(row.values)
        faults += [row.fault] if row.fault else _find_faults(row.location, row.values)
    if not rows:
        faults = ["holds no rows; give at least one"]
    if faults:
        raise DatasetError(str(path), faults[:_MAX_FAULTS])
    return rows


def read_scored(path: Path) -> list[Row]:
    """Return the rows of an earlier output, or [] if the file is missing or unreadable."""
    if not path.is_file():
        return []
    try:
        rows = list(read_rows(path))
    except DatasetError:
        return []
    return [] if any(row.fault for row in rows) else [row.values for row in rows]


def write_scored(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows with their scores atomically, in the format that the suffix names.

    Raises:
        StorageError: The file cannot be written.
    """
    write_rows(path, rows, _SCORE_COLUMNS)


def added_columns(scored: Scored, scored_by: str) -> Row:
    """Return the columns that scoring adds to a row.

    Args:
        scored: The score of the response and the grades behind it.
        scored_by: Fingerprint of everything but the response that the score depends on.

    >>> added_columns(Scored("p1", score=0.5, ungraded=0.0, grades=()), "f00d")
    {'score': 0.5, 'ungraded': 0.0, 'grades': (), 'scored_by': 'f00d'}
    """
    columns = scored.as_json()
    return {
        "score": columns["score"],
        "ungraded": columns["ungraded"],
        "grades": columns["grades"],
        "scored_by": scored_by,
    }


def _find_faults(location: str, row: Row) -> Iterator[str]:
    for name in ("prompt_id", "response"):
        if name not in row or row[name] is None:
            yield f"{location}: {name} is missing"
        elif not isinstance(row[name], str):
            yield f"{location}: {name} is {preview(row[name])}; must be text"
    for name in _SCORE_COLUMNS:
        if name in row:
            yield f"{location}: {name} is a column that scoring adds; rename yours"
