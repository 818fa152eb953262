"""The store keeps tables whole, and any text is a partition key."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.errors import StorageError
from autosr_lib.storage.file_names import file_name_to_key, key_to_file_name
from autosr_lib.storage.store import TableStore

AWKWARD_KEYS = [
    "a", "A", "%41", "", ".", "..", "../../etc/passwd", "a/b", "a\\b", "C:\\x", "CON", "con", "nul", "lpt1", "-rf", "~",
    "line\nbreak", "\x00", "🦀", "\u202eevil", "é", "e\u0301", "x" * 500, "X" * 500, "é" * 300, "trailing.", "trailing ",
]  # fmt: skip


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    return TableStore(tmp_path if request.param == "folder" else f"memory://{tmp_path.name}")


def rows(*values: int) -> pa.Table:
    schema = pa.schema([("prompt_id", pa.string()), ("value", pa.int64())])
    return pa.table({"prompt_id": [f"p{value}" for value in values], "value": list(values)}, schema)


@given(st.text())
def test_any_text_comes_back_from_its_file_name(key: str) -> None:
    name = key_to_file_name(key)

    assert len(name) <= 120
    assert file_name_to_key(name) == (None if "%h" in name else key)


@given(st.lists(st.text(st.characters() | st.sampled_from("aAbB./\\% ")), min_size=2, max_size=2, unique=True))
def test_two_keys_never_share_a_file_name_even_where_case_is_ignored(keys: list[str]) -> None:
    first, second = (key_to_file_name(key) for key in keys)

    assert first.casefold() != second.casefold()


@given(st.text())
def test_no_key_leaves_its_folder_or_names_a_device(key: str) -> None:
    name = key_to_file_name(key)

    assert not set(name) & set('/\\.:*?"<>| ~')
    assert name.isascii()
    assert name not in {"con", "nul", "aux", "prn"}
    assert not name.startswith("-")


def test_a_name_that_was_never_given_is_refused() -> None:
    with pytest.raises(ValueError, match="Upper"):
        file_name_to_key("Upper")


def test_awkward_keys_are_stored_side_by_side_and_listed(store: TableStore) -> None:
    for number, key in enumerate(AWKWARD_KEYS):
        store.write("search/generation_01", key, rows(number))

    assert store.keys("search/generation_01") == sorted(AWKWARD_KEYS)
    for number, key in enumerate(AWKWARD_KEYS):
        assert store.read("search/generation_01", key) == rows(number)


def test_what_is_read_is_what_was_written_metadata_too(store: TableStore) -> None:
    written = rows(1, 2).replace_schema_metadata({"schema_version": "3"})

    store.write("t", "p", written)
    read = store.read("t", "p")

    assert read is not None
    assert read.schema.equals(written.schema, check_metadata=True)
    assert read == written


def test_nothing_stored_reads_as_none_and_lists_as_empty(store: TableStore) -> None:
    assert store.read("t", "p") is None
    assert store.read("t") is None
    assert store.keys("t") == []
    assert not store.exists("t", "p")
    assert not store.delete("t", "p")


def test_a_table_without_partitions_is_one_file(store: TableStore) -> None:
    store.write("t", None, rows(1, 2))

    assert store.read("t", columns=["value"]) == rows(1, 2).select(["value"])
    assert store.keys("t") == []
    assert store.delete("t")
    assert not store.exists("t")


def test_an_empty_table_keeps_its_columns(store: TableStore) -> None:
    store.write("t", "p", rows())

    assert store.read("t", "p") == rows()


def test_a_scan_reads_the_columns_of_the_partitions_that_are_there(store: TableStore) -> None:
    for number in (1, 2, 3):
        store.write("t", f"p{number}", rows(number))

    scanned = list(store.scan("t", ["value"], keys=["p3", "p1", "never"]))

    assert scanned == [("p3", rows(3).select(["value"])), ("p1", rows(1).select(["value"]))]
    assert [key for key, _ in store.scan("t")] == ["p1", "p2", "p3"]


def test_a_stream_of_rows_is_stored_and_only_wanted_rows_are_read(store: TableStore) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, 5000, 100):
            yield from rows(*range(start, start + 100)).to_batches()

    store.write("dataset", None, pa.RecordBatchReader.from_batches(rows().schema, batches()))
    read = list(store.stored("dataset").read_where("prompt_id", {"p7", "p4321", "never"}, ["value"]))

    assert pa.concat_tables(read).column("value").to_pylist() == [7, 4321]
    assert all(part.num_rows <= 256 for part in read)


def test_a_writer_that_dies_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    store.write("t", "p", rows(1))

    def broken() -> Iterator[pa.RecordBatch]:
        yield from rows(2).to_batches()
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        store.write("t", "p", pa.RecordBatchReader.from_batches(rows().schema, broken()))

    assert store.read("t", "p") == rows(1)
    assert [path.name for path in (tmp_path / "t").iterdir()] == ["p.parquet"]


def test_a_file_that_is_no_parquet_is_an_error_that_names_it(store: TableStore) -> None:
    path = store.path("t", "p")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not parquet")

    with pytest.raises(StorageError, match=r"p\.parquet: cannot read: "):
        store.read("t", "p")


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
def test_a_root_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = TableStore(tmp_path / "file")

    with pytest.raises(StorageError, match=r"p\.parquet: cannot write: "):
        store.write("t", "p", rows(1))


def test_files_of_others_are_no_partitions(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    store.write("t", "p", rows(1))
    (tmp_path / "t" / "Notes.parquet").write_bytes(b"")
    (tmp_path / "t" / ".0123.tmp").write_bytes(b"")

    assert store.keys("t") == ["p"]


def test_a_handle_on_nothing_says_what_to_do() -> None:
    with pytest.raises(StorageError, match="materialize it first"):
        TableStore("memory://nothing").stored("t", "p").read()
