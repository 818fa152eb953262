"""Tables on disk: one parquet file a table, or one a table and partition, under a folder or a bucket.

A file is written whole under a temporary name and then moved into place, so a reader never sees half of it. The table
`a/b` lies in `<root>/a/b.parquet`, its partitions in `<root>/a/b/<name of the key>.parquet`; a table's name is
therefore never the beginning of another's.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from autosr_lib.errors import StorageError
from autosr_lib.storage.file_names import file_name_to_key, key_to_file_name
from autosr_lib.storage.files import atomic_write, storage_errors, storage_path

_SUFFIX = ".parquet"
_KEY_FIELD = b"autosr.partition_key"
_ROWS_PER_GROUP = 256
"""Rows that are read at once when only some are wanted; a row of the dataset is a prompt with all its candidates."""

# A partition is a few rows in dozens of columns: a dictionary, statistics and zstd's tables for each of them take most of
# the time of writing it, and make it larger; so does Arrow's schema, which repeats what each column holds.
_SMALL: dict[str, Any] = {
    "compression": "lz4",
    "use_dictionary": False,
    "write_statistics": False,
    "store_schema": False,
}
_LARGE: dict[str, Any] = {"compression": "zstd"}

Rows: TypeAlias = pa.Table | pa.RecordBatchReader
"""What can be written: rows in memory, or a stream of them."""


class TableStore:
    """Tables under one root, which is a folder, `memory://…` or a bucket such as `s3://…`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = storage_path(root)

    def path(self, table: str, key: str | None = None) -> UPath:
        """Return where a table, or one partition of it, is kept."""
        folder = self._folder(table)
        if key is None:
            return folder.parent / f"{folder.name}{_SUFFIX}"
        return folder / f"{key_to_file_name(key)}{_SUFFIX}"

    def exists(self, table: str, key: str | None = None) -> bool:
        """Return whether the table, or this partition of it, is stored."""
        path = self.path(table, key)
        with storage_errors(path, "read"):
            return bool(path.is_file())

    def read(self, table: str, key: str | None = None, columns: Sequence[str] | None = None) -> pa.Table | None:
        """Return the rows, or None when nothing is stored."""
        path = self.path(table, key)
        with storage_errors(path, "read"):
            return _read(path, columns)

    def read_where(
        self, table: str, column: str, values: Collection[str], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the rows of an unpartitioned table whose `column` is one of `values`, a few hundred at a time.

        Only `column` is read of the other rows, so the table may be much larger than memory.
        """
        path = self.path(table)
        wanted = frozenset(values)
        with storage_errors(path, "read"), path.open("rb") as stream, pq.ParquetFile(stream) as file:
            for group in range(file.num_row_groups):
                there = file.read_row_group(group, columns=[column]).column(column).to_pylist()
                mask = [value in wanted for value in there]
                if any(mask):
                    rows = file.read_row_group(group, columns=_list(columns))
                    yield rows if all(mask) else rows.filter(pa.array(mask))

    def read_in_parts(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield these columns of an unpartitioned table, a few hundred rows at a time."""
        path = self.path(table)
        with storage_errors(path, "read"), path.open("rb") as stream, pq.ParquetFile(stream) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=_list(columns))

    def write(self, table: str, key: str | None, rows: Rows) -> None:
        """Store the rows in place of what was there; a stream is never in memory as a whole.

        A stream that gives the file that is there already leaves it alone.
        """
        path = self.path(table, key)
        schema: pa.Schema = rows.schema
        if key is not None:
            mark = {_KEY_FIELD: key.encode("utf-8", "surrogatepass")}
            schema = schema.with_metadata({**(schema.metadata or {}), **mark})
        with storage_errors(path, "write"):
            _write(path, rows, schema)

    def delete(self, table: str, key: str | None = None) -> bool:
        """Remove the table, or one partition of it; return whether there was one."""
        path = self.path(table, key)
        with storage_errors(path, "delete"):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            return True

    def keys(self, table: str) -> list[str]:
        """Return the partition keys that are stored, sorted."""
        folder = self._folder(table)
        with storage_errors(folder, "list"):
            try:
                paths = [path for path in folder.iterdir() if path.name.endswith(_SUFFIX)]
            except (FileNotFoundError, NotADirectoryError):
                return []
            return sorted(key for path in paths if (key := _key_of(path)) is not None)

    def scan(
        self, table: str, columns: Sequence[str] | None = None, keys: Iterable[str] | None = None
    ) -> Iterator[tuple[str, pa.Table]]:
        """Yield (key, rows) of the stored partitions, one at a time: all of them, or those of `keys` that exist."""
        for key in self.keys(table) if keys is None else keys:
            if (rows := self.read(table, key, columns)) is not None:
                yield key, rows

    def stored(self, table: str, key: str | None = None) -> "StoredTable":
        """Return a handle on the table or partition; nothing is read yet."""
        return StoredTable(self, table, key)

    def _folder(self, table: str) -> UPath:
        return self.root.joinpath(*(key_to_file_name(part) for part in table.split("/")))


@dataclass(frozen=True)
class StoredTable:
    """A table or partition that is stored, not yet read."""

    store: TableStore
    table: str
    key: str | None = None

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all rows.

        Raises:
            StorageError: nothing is stored there.
        """
        rows = self.store.read(self.table, self.key, columns)
        if rows is None:
            raise self._absent()
        return rows

    def read_where(
        self, column: str, values: Collection[str], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the rows whose `column` is one of `values`, a few hundred at a time; see `TableStore.read_where`."""
        return self.store.read_where(self.table, column, values, columns)

    def read_in_parts(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield these columns, a few hundred rows at a time; see `TableStore.read_in_parts`.

        Raises:
            StorageError: nothing is stored there.
        """
        if not self.store.exists(self.table):
            raise self._absent()
        return self.store.read_in_parts(self.table, columns)

    def _absent(self) -> StorageError:
        return StorageError(f"{self.store.path(self.table, self.key)}: nothing is stored here; materialize it first")


def _read(path: UPath, columns: Sequence[str] | None) -> pa.Table | None:
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return None
    with stream, pq.ParquetFile(stream) as file:
        rows = file.read(columns=_list(columns))
    metadata = {name: value for name, value in (rows.schema.metadata or {}).items() if name != _KEY_FIELD}
    return rows.replace_schema_metadata(metadata or None)


def _key_of(path: UPath) -> str | None:
    name = path.name.removesuffix(_SUFFIX)
    try:
        key = file_name_to_key(name)
    except ValueError:  # a stranger's file is no partition of ours
        return None
    if key is None:
        with path.open("rb") as stream:
            key = (pq.read_schema(stream).metadata or {})[_KEY_FIELD].decode("utf-8", "surrogatepass")
    return key


def _write(path: UPath, rows: Rows, schema: pa.Schema) -> None:
    if not isinstance(rows, pa.Table):
        with atomic_write(path, if_changed=True) as file, file.open("xb") as sink:
            _encode(sink, rows, schema)
        return
    packed = pa.BufferOutputStream()  # Arrow calls a Python file dozens of times
    _encode(packed, rows, schema)
    if isinstance(path, Path):
        with atomic_write(path) as file, file.open("xb") as sink:
            sink.write(packed.getvalue())
    else:
        path.fs.pipe_file(path.path, packed.getvalue().to_pybytes())


def _encode(sink: Any, rows: Rows, schema: pa.Schema) -> None:
    is_small = isinstance(rows, pa.Table) and rows.num_rows <= _ROWS_PER_GROUP and _KEY_FIELD in (schema.metadata or {})
    batches = rows.to_batches(max_chunksize=_ROWS_PER_GROUP) if isinstance(rows, pa.Table) else rows
    with pq.ParquetWriter(sink, schema, **(_SMALL if is_small else _LARGE)) as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=_ROWS_PER_GROUP)
        if is_small:  # elsewhere Arrow's schema has it
            writer.add_key_value_metadata(schema.metadata)


def _list(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)
