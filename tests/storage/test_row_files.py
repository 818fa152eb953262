"""Files of rows are read back as they were written, and their faults are reported with locations."""

from pathlib import Path

import pyarrow as pa
import pytest

from autosr_lib.errors import DatasetError, StorageError
from autosr_lib.storage.row_files import read_rows, write_rows

SUFFIXES = [".jsonl", ".ndjson", ".csv", ".parquet"]
ROWS = [
    {"response": "two\nlines, “quoted”\u2028", "grades": [{"grade": 0.5}]},
    {"response": "", "grades": None},
]
TYPES = {"grades": pa.list_(pa.struct([("grade", pa.float64())]))}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_are_read_back_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"

    write_rows(path, ROWS, TYPES)
    rows = list(read_rows(path))

    in_csv = [{"response": ROWS[0]["response"], "grades": '[{"grade": 0.5}]'}, {"response": "", "grades": ""}]
    assert [row.values for row in rows] == (in_csv if suffix == ".csv" else ROWS)
    assert not any(row.fault for row in rows)
    assert [row.location for row in rows] == {
        ".csv": ["row 2", "row 3"],
        ".parquet": ["row 1", "row 2"],
    }.get(suffix, ["line 1", "line 2"])


@pytest.mark.parametrize(
    ("name", "content", "faults"),
    [
        ("a.jsonl", b'{"a": 1}\n\n{"a"\n[1]', ["", "line 3: column 5: Expecting ':' delimiter", "line 4: a list of 1"]),
        ("a.csv", b"a,b\n1,2\n\n1\n1,2,3\n", ["", "row 4: has 1 cell, the", "row 5: has 3 cells, the header has 2"]),
    ],
)
def test_a_faulty_row_has_its_location_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes, faults: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)

    rows = list(read_rows(tmp_path / name))

    assert [row.fault.startswith(fault) for row, fault in zip(rows, faults, strict=True)] == [True] * len(faults)
    assert not rows[0].fault


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": "\xff"}', "byte 7: 0xff is not valid UTF-8"),
        ("a.csv", "a,b\n".encode("utf-16"), "UTF-16"),
        ("a.csv", b'a,b\n1,"2\n', r"row 2 .*a quote is missing or stray"),
        ("a.parquet", b"no", "cannot be read as Parquet"),
        ("a.txt", b"", r"\.txt suffix; allowed are \.jsonl, \.ndjson, \.csv, \.parquet"),
    ],
)
def test_a_file_that_is_not_of_its_format_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DatasetError, match=message):
        list(read_rows(tmp_path / name))


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv: cannot be read"):
        list(read_rows(tmp_path / "none.csv"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    write_rows(path, ROWS, TYPES)
    before = path.read_bytes()

    with pytest.raises((StorageError, TypeError)):
        write_rows(path, [{"response": "new", "grades": {"not": {"json"}}}], TYPES)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
