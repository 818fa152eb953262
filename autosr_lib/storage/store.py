"""Tables in a folder or an object store: one Parquet file for each table, or for each partition of a table.

A file is written under a temporary name and then renamed, so readers never see a half-written file. The table `a/b` is
the file `<root>/a/b.parquet`; its partitions are the files `<root>/a/b/<file name of the key>.parquet`.
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
from autosr_lib.storage.table_names import TableName

_SUFFIX = ".parquet"
_KEY_FIELD = b"autosr.partition_key"
_ROWS_PER_GROUP = 256
"""Rows that are decoded at once. A row of the dataset is a prompt with all its candidates, so rows can be large."""

# A partition is a few rows with dozens of columns. Dictionaries, statistics, zstd's tables and Arrow's schema for each
# column would make the file larger, and writing them would take most of the time.
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
    """Tables under one root: a folder, `memory://…`, or an object store such as `s3://…`.

    >>> store, table = TableStore("memory://example"), TableName.dataset("news")
    >>> store.write(table, None, pa.table({"prompt_id": ["p1"]}))
    >>> store.stored(table).read().to_pylist()
    [{'prompt_id': 'p1'}]
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = storage_path(root)

    def path(self, table: TableName, key: str | None = None) -> UPath:
        """Return the path of a table's file, or of the file of one of its partitions."""
        folder = self._folder(table)
        if key is None:
            return folder.parent / f"{folder.name}{_SUFFIX}"
        return folder / f"{key_to_file_name(key)}{_SUFFIX}"

    def exists(self, table: TableName, key: str | None = None) -> bool:
        """Return whether the table, or this partition of it, is stored."""
        path = self.path(table, key)
        with storage_errors(path, "read"):
            return bool(path.is_file())

    def read(self, table: TableName, key: str | None = None, columns: Sequence[str] | None = None) -> pa.Table | None:
        """Return the rows, or None if nothing is stored."""
        path = self.path(table, key)
        with storage_errors(path, "read"):
            return _read(path, columns)

    def read_where(
        self, table: TableName, column: str, values: Collection[str], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the rows of an unpartitioned table whose `column` is one of `values`, at most 256 at a time.

        Of all other rows only `column` is read, so the table may be much larger than memory.
        """
        path = self.path(table)
        wanted = frozenset(values)
        with storage_errors(path, "read"), path.open("rb") as stream, pq.ParquetFile(stream) as file:
            for group in range(file.num_row_groups):
                column_values = file.read_row_group(group, columns=[column]).column(column).to_pylist()
                mask = [value in wanted for value in column_values]
                if any(mask):
                    rows = file.read_row_group(group, columns=_list(columns))
                    yield rows if all(mask) else rows.filter(pa.array(mask))

    def read_batches(self, table: TableName, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield these columns of an unpartitioned table, at most 256 rows at a time."""
        path = self.path(table)
        with storage_errors(path, "read"), path.open("rb") as stream, pq.ParquetFile(stream) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=_list(columns))

    def write(self, table: TableName, key: str | None, rows: Rows) -> None:
        """Replace the stored rows; a stream is never completely in memory.

        If a stream encodes to the bytes that are already stored, the file is left untouched.
        """
        path = self.path(table, key)
        schema: pa.Schema = rows.schema
        if key is not None:
            key_metadata = {_KEY_FIELD: key.encode("utf-8", "surrogatepass")}
            schema = schema.with_metadata({**(schema.metadata or {}), **key_metadata})
        with storage_errors(path, "write"):
            _write(path, rows, schema)

    def keys(self, table: TableName) -> list[str]:
        """Return the keys of the stored partitions, sorted."""
        folder = self._folder(table)
        with storage_errors(folder, "list"):
            try:
                paths = [path for path in folder.iterdir() if path.name.endswith(_SUFFIX)]
            except (FileNotFoundError, NotADirectoryError):
                return []
            return sorted(key for path in paths if (key := _key_of(path)) is not None)

    def scan(
        self, table: TableName, columns: Sequence[str] | None = None, keys: Iterable[str] | None = None
    ) -> Iterator[tuple[str, pa.Table]]:
        """Yield (key, rows) of stored partitions, one at a time: of all, or of those of `keys` that are stored."""
        for key in self.keys(table) if keys is None else keys:
            if (rows := self.read(table, key, columns)) is not None:
                yield key, rows

    def stored(self, table: TableName, key: str | None = None) -> "StoredTable":
        """Return a handle on the table or partition, without reading anything."""
        return StoredTable(self, table, key)

    def _folder(self, table: TableName) -> UPath:
        return self.root.joinpath(*(key_to_file_name(part) for part in table.parts))


@dataclass(frozen=True)
class StoredTable:
    """A handle on a stored table or partition."""

    store: TableStore
    table: TableName
    key: str | None = None

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all rows.

        Raises:
            StorageError: Nothing is stored, or it cannot be read.
        """
        rows = self.store.read(self.table, self.key, columns)
        if rows is None:
            raise self._missing()
        return rows

    def read_where(
        self, column: str, values: Collection[str], columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield the rows whose `column` is one of `values`; see `TableStore.read_where`."""
        return self.store.read_where(self.table, column, values, columns)

    def read_batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield these columns of all rows; see `TableStore.read_batches`.

        Raises:
            StorageError: Nothing is stored, or it cannot be read.
        """
        if not self.store.exists(self.table):
            raise self._missing()
        return self.store.read_batches(self.table, columns)

    def _missing(self) -> StorageError:
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
    """Return the partition key of a file, or None for a file that the store did not write."""
    name = path.name.removesuffix(_SUFFIX)
    try:
        key = file_name_to_key(name)
    except ValueError:
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
    buffer = pa.BufferOutputStream()  # Arrow would call the methods of a Python file dozens of times
    _encode(buffer, rows, schema)
    if isinstance(path, Path):
        with atomic_write(path) as file, file.open("xb") as sink:
            sink.write(buffer.getvalue())
    else:
        path.fs.pipe_file(path.path, buffer.getvalue().to_pybytes())


def _encode(sink: Any, rows: Rows, schema: pa.Schema) -> None:
    is_small = isinstance(rows, pa.Table) and rows.num_rows <= _ROWS_PER_GROUP and _KEY_FIELD in (schema.metadata or {})
    batches = rows.to_batches(max_chunksize=_ROWS_PER_GROUP) if isinstance(rows, pa.Table) else rows
    with pq.ParquetWriter(sink, schema, **(_SMALL if is_small else _LARGE)) as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=_ROWS_PER_GROUP)
        if is_small:  # large files have the metadata in Arrow's schema
            writer.add_key_value_metadata(schema.metadata)


def _list(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)
