"""The store replaces tables atomically, and any text is a partition key."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from autosr_lib.errors import StorageError
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName

AWKWARD_KEYS = [
    "a", "A", "%41", "", ".", "..", "../../etc/passwd", "a/b", "a\\b", "C:\\x", "CON", "con", "nul", "lpt1", "-rf", "~",
    "line\nbreak", "\x00", "🦀", "\u202eevil", "é", "e\u0301", "x" * 500, "X" * 500, "é" * 300, "trailing.", "trailing ",
]  # fmt: skip

TABLE = TableName("", "table")
GENERATION = TableName.generation("search", 1)
DATASET = TableName.dataset("news")


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    return TableStore(tmp_path if request.param == "folder" else f"memory://{tmp_path.name}")


def rows(*values: int) -> pa.Table:
    schema = pa.schema([("prompt_id", pa.string()), ("value", pa.int64())])
    return pa.table({"prompt_id": [f"p{value}" for value in values], "value": list(values)}, schema)


def test_awkward_keys_are_stored_side_by_side_and_listed(store: TableStore) -> None:
    for number, key in enumerate(AWKWARD_KEYS):
        store.write(GENERATION, key, rows(number))

    assert store.keys(GENERATION) == sorted(AWKWARD_KEYS)
    for number, key in enumerate(AWKWARD_KEYS):
        assert store.read(GENERATION, key) == rows(number)


def test_rows_are_read_back_with_their_metadata(store: TableStore) -> None:
    written = rows(1, 2).replace_schema_metadata({"schema_version": "3"})

    store.write(TABLE, "p", written)
    read = store.read(TABLE, "p")

    assert read is not None
    assert read.schema.equals(written.schema, check_metadata=True)
    assert read == written


def test_a_table_that_is_not_stored_reads_as_none_and_has_no_keys(store: TableStore) -> None:
    assert store.read(TABLE, "p") is None
    assert store.read(TABLE) is None
    assert store.keys(TABLE) == []
    assert not store.exists(TABLE, "p")


def test_a_table_without_partitions_is_one_file(store: TableStore) -> None:
    store.write(TABLE, None, rows(1, 2))

    assert store.read(TABLE, columns=["value"]) == rows(1, 2).select(["value"])
    assert store.keys(TABLE) == []
    assert store.exists(TABLE)


def test_an_empty_table_keeps_its_columns(store: TableStore) -> None:
    store.write(TABLE, "p", rows())

    assert store.read(TABLE, "p") == rows()


def test_a_scan_reads_the_columns_of_the_stored_partitions(store: TableStore) -> None:
    for number in (1, 2, 3):
        store.write(TABLE, f"p{number}", rows(number))

    scanned = list(store.scan(TABLE, ["value"], keys=["p3", "p1", "never"]))

    assert scanned == [("p3", rows(3).select(["value"])), ("p1", rows(1).select(["value"]))]
    assert [key for key, _ in store.scan(TABLE)] == ["p1", "p2", "p3"]


def test_a_stream_of_rows_is_stored_and_only_the_requested_rows_are_read(store: TableStore) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, 5000, 100):
            yield from rows(*range(start, start + 100)).to_batches()

    store.write(DATASET, None, pa.RecordBatchReader.from_batches(rows().schema, batches()))
    read = list(store.stored(DATASET).read_where("prompt_id", {"p7", "p4321", "never"}, ["value"]))

    assert pa.concat_tables(read).column("value").to_pylist() == [7, 4321]
    assert all(part.num_rows <= 256 for part in read)


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    store.write(TABLE, "p", rows(1))

    def broken() -> Iterator[pa.RecordBatch]:
        yield from rows(2).to_batches()
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        store.write(TABLE, "p", pa.RecordBatchReader.from_batches(rows().schema, broken()))

    assert store.read(TABLE, "p") == rows(1)
    assert [path.name for path in (tmp_path / "table").iterdir()] == ["p.parquet"]


def test_a_file_that_is_not_parquet_is_an_error_that_names_it(store: TableStore) -> None:
    path = store.path(TABLE, "p")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not parquet")

    with pytest.raises(StorageError, match=r"p\.parquet: cannot read: "):
        store.read(TABLE, "p")


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
def test_a_root_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = TableStore(tmp_path / "file")

    with pytest.raises(StorageError, match=r"p\.parquet: cannot write: "):
        store.write(TABLE, "p", rows(1))


def test_files_that_the_store_did_not_write_are_not_partitions(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    store.write(TABLE, "p", rows(1))
    (tmp_path / "table" / "Notes.parquet").write_bytes(b"")
    (tmp_path / "table" / ".0123.tmp").write_bytes(b"")

    assert store.keys(TABLE) == ["p"]


def test_the_error_of_a_missing_table_says_what_to_do() -> None:
    with pytest.raises(StorageError, match="materialize it first"):
        TableStore("memory://nothing").stored(TABLE, "p").read()
