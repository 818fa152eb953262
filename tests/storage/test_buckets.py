"""Tables and exports in an S3 bucket that other machines also write to, against moto's server."""

import socket
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer

from autosr_lib.errors import DatasetError, StorageError
from autosr_lib.results.export import write_export
from autosr_lib.storage.datasets import read_dataset
from autosr_lib.storage.files import atomic_write, storage_errors, storage_path
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName

ROWS = pa.table({"a": [1, 2]})
TABLE = TableName("", "t")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the file system of another machine, after pointing the environment at the server."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # the cache holds the server of another test
    file_system = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    file_system.makedirs("bucket", exist_ok=True)
    yield file_system
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_table_is_read_back_and_listed(bucket: Any) -> None:
    store = TableStore("s3://bucket/tables")

    store.write(TABLE, "key/1", ROWS)

    assert store.keys(TABLE) == ["key/1"]
    assert store.read(TABLE, "key/1") == ROWS
    assert store.exists(TABLE, "key/1")


def test_files_that_another_machine_writes_or_removes_are_noticed_at_once(bucket: Any) -> None:
    store = TableStore("s3://bucket/others")
    store.write(TABLE, "a", ROWS)
    before = store.keys(TABLE), store.exists(TABLE, "b")

    bucket.copy("bucket/others/t/a.parquet", "bucket/others/t/b.parquet")
    bucket.rm_file("bucket/others/t/a.parquet")

    assert before == (["a"], False)
    assert (store.keys(TABLE), store.exists(TABLE, "b"), store.exists(TABLE, "a")) == (["b"], True, False)


def test_a_stream_is_stored_completely(bucket: Any) -> None:
    store = TableStore("s3://bucket/streams")

    store.write(TABLE, None, pa.RecordBatchReader.from_batches(ROWS.schema, ROWS.to_batches()))

    assert store.read(TABLE) == ROWS


def test_a_failed_export_leaves_the_old_one(bucket: Any) -> None:
    write_export("s3://bucket/exports/x.json", [], lambda _: {"run": 1})
    before = bucket.cat_file("bucket/exports/x.json")

    with pytest.raises(ZeroDivisionError), atomic_write(storage_path("s3://bucket/exports/x.json")) as file:
        file.write_text(f"half of it and then {1 / 0}")

    assert b'"run": 1' in before
    assert bucket.cat_file("bucket/exports/x.json") == before


def test_an_unreachable_server_is_an_error_that_names_the_table(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        type(bucket).clear_instance_cache()

        with pytest.raises(StorageError, match=r"^s3://bucket/t\.parquet: cannot read: .*127\.0\.0\.1"):
            TableStore("s3://bucket").read(TABLE)


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_missing_credentials_are_an_error_that_does_not_show_them(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    type(bucket).clear_instance_cache()

    with pytest.raises(StorageError, match=r"^s3://bucket/t\.parquet: cannot write: .*redentials"):
        TableStore("s3://bucket").write(TABLE, None, ROWS)


def test_a_bucket_that_does_not_exist_is_an_error(bucket: Any) -> None:
    with pytest.raises(StorageError, match=r"^s3://nobody/t\.parquet: cannot write: .*bucket does not exist"):
        TableStore("s3://nobody").write(TABLE, None, ROWS)


def test_a_dataset_that_cannot_be_fetched_is_a_dataset_error(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    type(bucket).clear_instance_cache()

    with pytest.raises(DatasetError, match=r"^s3://bucket/d\.json: cannot be read: .*redentials"):
        read_dataset("s3://bucket/d.json")


def test_a_programming_error_is_not_turned_into_a_storage_error() -> None:
    with pytest.raises(ZeroDivisionError), storage_errors("x", "read"):
        1 / 0  # noqa: B018
