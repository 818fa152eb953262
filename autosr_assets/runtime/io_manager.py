"""The IO manager: it stores the rows of an asset as one Parquet file, or as one file per prompt if it is partitioned.

Inputs are handles, from which an asset reads only what it needs, so that a run over a hundred thousand prompts never has
all of them in memory. The input of an unpartitioned asset is a `StoredTable`; that of a partitioned asset is a dict of them
by partition key, even for a single partition. Outputs have the same shape, with rows or handles as values. A returned
handle means that the rows are stored already; the IO manager leaves them unchanged.
"""

from collections.abc import Mapping, Sequence

import dagster as dg
import pyarrow as pa

from autosr_assets.runtime.home import storage_root
from autosr_lib.domain.wording import plural
from autosr_lib.errors import StorageError
from autosr_lib.storage.store import Rows, StoredTable, TableStore
from autosr_lib.storage.table_names import TableName

PartitionRows = dict[str, StoredTable | pa.Table]
"""Output of a partitioned asset: new rows, or the handle on stored rows, for each partition key of the run."""

# Dagster cannot derive a type from the union. The IO manager validates the values.
PARTITION_ROWS_TYPE = dg.DagsterType(
    name="RowsByPartition",
    type_check_fn=lambda _, value: isinstance(value, dict),
    description="Rows, or the handle on stored rows, by partition key.",
)

_MIN_KEYS_TO_LIST = 8
"""Number of partitions from which listing the folder once is faster than looking for each file."""


def table_of(key: dg.AssetKey) -> TableName:
    """Return the name of the table that holds the rows of an asset."""
    return TableName.from_parts(key.path)


class ParquetIOManager(dg.ConfigurableIOManager):
    """Stores the rows of assets in a `TableStore`."""

    root: str | None = None
    """A folder, or an address such as `s3://bucket/autosr`; by default AUTOSR_STORAGE, else data/storage."""

    @property
    def store(self) -> TableStore:
        """Return the tables; assets use it to read and write rows themselves."""
        return TableStore(self.root or storage_root())

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Store the output of an asset.

        Raises:
            StorageError: the keys of the output are not those of the run. Dagster records every key of a range as
                materialized, so a missing partition would make the next asset fail.
        """
        table = table_of(context.asset_key)
        store = self.store
        if not context.has_asset_partitions:
            _write(store, table, None, obj)
            return
        keys = context.asset_partition_keys
        if not isinstance(obj, Mapping):
            raise StorageError(f"{table}: output is {type(obj).__name__}; must be a dict of rows by partition key")
        if missing := [key for key in keys if key not in obj]:
            raise StorageError(f"{table}: output has no rows for {_some_of(missing, keys)} of this run")
        if surplus := sorted(set(obj) - set(keys)):
            raise StorageError(f"{table}: output has rows for {surplus[:3]}, which are not partitions of this run")
        for key in keys:
            _write(store, table, key, obj[key])

    def load_input(self, context: dg.InputContext) -> StoredTable | dict[str, StoredTable]:
        """Return a handle on the upstream asset, or handles by partition key.

        Raises:
            StorageError: the rows, or those of a partition, are not stored. An input with the metadata
                `allow_missing_partitions` omits missing partitions instead.
        """
        table = table_of(context.asset_key)
        store = self.store
        if not context.has_asset_partitions:
            if not store.exists(table):
                raise StorageError(f"{store.path(table)}: nothing is stored here; materialize {table} first")
            return store.stored(table)
        keys = context.asset_partition_keys
        is_listed = len(keys) >= _MIN_KEYS_TO_LIST
        stored = set(store.keys(table)) if is_listed else {key for key in keys if store.exists(table, key)}
        missing = [key for key in keys if key not in stored]
        if missing and not context.definition_metadata.get("allow_missing_partitions"):
            raise StorageError(f"{table}: no rows are stored for {_some_of(missing, keys)}; materialize them first")
        return {key: store.stored(table, key) for key in keys if key in stored}


def _some_of(missing: Sequence[str], keys: Sequence[str]) -> str:
    """Return how many of the keys are missing, and the first of them, for an error message."""
    return f"{len(missing)} of {plural(len(keys), 'partition')} ({', '.join(map(repr, missing[:3]))})"


def _write(store: TableStore, table: TableName, key: str | None, rows: object) -> None:
    path = store.path(table, key)
    if isinstance(rows, StoredTable):
        if (rows.table, rows.key) != (table, key) or not store.exists(table, key):
            raise StorageError(
                f"{path}: output is a handle on {rows.table}; must be the handle on the rows stored here"
            )
        return
    if not isinstance(rows, Rows):
        raise StorageError(f"{path}: output is {type(rows).__name__}; must be a pyarrow table or reader")
    store.write(table, key, rows)
