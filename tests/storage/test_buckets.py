"""Tables and exports in a bucket, that other machines write to as well; moto's server stands for it."""

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

ROWS = pa.table({"a": [1, 2]})


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    started = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a bucket as another machine sees it; the environment says where it is."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # it would remember the server of another test
    other = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    other.makedirs("bucket", exist_ok=True)
    yield other
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_table_comes_back_and_is_listed(bucket: Any) -> None:
    store = TableStore("s3://bucket/tables")

    store.write("t", "key/1", ROWS)

    assert store.keys("t") == ["key/1"]
    assert store.read("t", "key/1") == ROWS
    assert store.delete("t", "key/1")
    assert not store.exists("t", "key/1")


def test_what_another_machine_writes_or_removes_is_seen_at_once(bucket: Any) -> None:
    store = TableStore("s3://bucket/others")
    store.write("t", "a", ROWS)
    before = store.keys("t"), store.exists("t", "b")

    bucket.copy("bucket/others/t/a.parquet", "bucket/others/t/b.parquet")
    bucket.rm_file("bucket/others/t/a.parquet")

    assert before == (["a"], False)
    assert (store.keys("t"), store.exists("t", "b"), store.exists("t", "a")) == (["b"], True, False)


def test_a_stream_is_stored_whole(bucket: Any) -> None:
    store = TableStore("s3://bucket/streams")

    store.write("t", None, pa.RecordBatchReader.from_batches(ROWS.schema, ROWS.to_batches()))

    assert store.read("t") == ROWS


def test_an_export_is_written_and_one_that_fails_leaves_that_of_before(bucket: Any) -> None:
    write_export("s3://bucket/exports/x.json", [], lambda _: {"run": 1})
    before = bucket.cat_file("bucket/exports/x.json")

    with pytest.raises(ZeroDivisionError), atomic_write(storage_path("s3://bucket/exports/x.json")) as file:
        file.write_text(f"half of it and then {1 / 0}")

    assert b'"run": 1' in before
    assert bucket.cat_file("bucket/exports/x.json") == before


def test_an_address_at_which_nobody_is_is_told_with_the_table(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        type(bucket).clear_instance_cache()

        with pytest.raises(StorageError, match=r"^s3://bucket/t\.parquet: cannot read: .*127\.0\.0\.1"):
            TableStore("s3://bucket").read("t")


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_credentials_that_are_missing_are_told_and_not_shown(
    bucket: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    type(bucket).clear_instance_cache()

    with pytest.raises(StorageError, match=r"^s3://bucket/t\.parquet: cannot write: .*redentials"):
        TableStore("s3://bucket").write("t", None, ROWS)


def test_a_bucket_that_does_not_exist_is_told(bucket: Any) -> None:
    with pytest.raises(StorageError, match=r"^s3://nobody/t\.parquet: cannot write: .*bucket does not exist"):
        TableStore("s3://nobody").write("t", None, ROWS)


def test_a_dataset_that_cannot_be_fetched_is_the_datasets_error(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    type(bucket).clear_instance_cache()

    with pytest.raises(DatasetError, match=r"^s3://bucket/d\.json: cannot be read: .*redentials"):
        read_dataset("s3://bucket/d.json")


def test_a_fault_of_ours_is_no_fault_of_the_storage() -> None:
    with pytest.raises(ZeroDivisionError), storage_errors("x", "read"):
        1 / 0  # noqa: B018
