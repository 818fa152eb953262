"""Assets on disk: one parquet file an asset, or one an asset and prompt.

An asset gets *handles* and reads from them what it needs, so a run over a hundred thousand prompts never has them all
in memory: one `StoredTable` for an asset without partitions, and a dict of them by partition key for one with, also
when there is only one. It returns rows in the same shape. A handle that it returns is what is stored already, and is
left as it is.
"""

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from autosr_assets.runtime.home import storage_root
from autosr_lib.errors import StorageError
from autosr_lib.storage.store import Rows, StoredTable, TableStore
from autosr_lib.storage.table_names import TableName

PartitionRows = dict[str, StoredTable | pa.Table]
"""What a partitioned asset returns: for every partition key of its run new rows, or the handle on its stored ones."""

# Dagster derives no type from a union; the IO manager checks the values more closely than it would.
PARTITION_ROWS_TYPE = dg.DagsterType(
    name="RowsByPartition",
    type_check_fn=lambda _, value: isinstance(value, dict),
    description="Rows, or the handle on stored rows, by partition key.",
)

_LISTING_PAYS = 8
"""Partitions from which on one listing of the folder is quicker than a look for each file."""


def table_of(key: dg.AssetKey) -> TableName:
    """Return the name of an asset's table."""
    return TableName.from_parts(key.path)


class ParquetIOManager(dg.ConfigurableIOManager):
    """Keeps the rows of assets in a `TableStore`."""

    root: str | None = None
    """A folder, or an address such as `s3://bucket/autosr`; by default AUTOSR_STORAGE, else data/storage."""

    @property
    def store(self) -> TableStore:
        """Return the tables, for an asset that reads its own."""
        return TableStore(self.root or storage_root())

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Store what an asset returned.

        Raises:
            StorageError: a partition of the run has no rows. Dagster records every key of a range as materialized, so
                the next asset would die of it.
        """
        table = table_of(context.asset_key)
        store = self.store
        if not context.has_asset_partitions:
            _write(store, table, None, obj)
            return
        keys = context.asset_partition_keys
        if not isinstance(obj, Mapping):
            raise StorageError(f"{table}: a dict of rows by partition key is stored, not {type(obj).__name__}")
        if missing := [key for key in keys if key not in obj]:
            shown = ", ".join(map(repr, missing[:3]))
            raise StorageError(f"{table}: no rows for {len(missing)} of {len(keys)} partitions of this run: {shown}")
        if unasked := sorted(set(obj) - set(keys)):
            raise StorageError(f"{table}: rows for {unasked[:3]}, which this run was not asked for")
        for key in keys:
            _write(store, table, key, obj[key])

    def load_input(self, context: dg.InputContext) -> StoredTable | dict[str, StoredTable]:
        """Return a handle on the upstream asset, or handles by partition key.

        Raises:
            StorageError: something is not stored. An input with the metadata `allow_missing_partitions` leaves the
                missing partitions out instead.
        """
        table = table_of(context.asset_key)
        store = self.store
        if not context.has_asset_partitions:
            if not store.exists(table):
                raise StorageError(f"{store.path(table)}: nothing is stored here; materialize {table} first")
            return store.stored(table)
        keys = context.asset_partition_keys
        there = set(store.keys(table)) if len(keys) >= _LISTING_PAYS else {k for k in keys if store.exists(table, k)}
        missing = [key for key in keys if key not in there]
        if missing and not context.definition_metadata.get("allow_missing_partitions"):
            shown = ", ".join(map(repr, missing[:3]))
            raise StorageError(f"{table}: {len(missing)} of {len(keys)} partitions are not stored: {shown}")
        return {key: store.stored(table, key) for key in keys if key in there}


def _write(store: TableStore, table: TableName, key: str | None, rows: object) -> None:
    if isinstance(rows, StoredTable):
        if (rows.table, rows.key) != (table, key) or not store.exists(table, key):
            raise StorageError(f"{store.path(table, key)}: the handle on {rows.table} is not what is stored here")
        return
    if not isinstance(rows, Rows):
        raise StorageError(f"{store.path(table, key)}: rows are a pyarrow table or reader, not {type(rows).__name__}")
    store.write(table, key, rows)
