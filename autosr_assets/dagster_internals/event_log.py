"""Dagster's SQLite event log, written many events at a time.

Dagster's own class creates an engine three times for each event and commits twice. This one keeps an engine for each file
that is in use, and stores the batches in which Dagster hands over the events of a range, as Dagster's Postgres storage does.
The files are those of `SqliteEventLogStorage`: each class reads what the other one wrote.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Self

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from autosr_assets.dagster_internals.event_batches import enable_event_batches
from autosr_lib.errors import SettingsError


class BatchedIndex(SqlEventLogStorage):
    """The part that event logs with batches share: writing the table of all runs' events, on SQLite or Postgres."""

    def _store_in_index(self, events: Sequence[EventLogEntry], rows: Sequence[Mapping[str, Any]]) -> None:
        """Store asset events and their rows in one transaction.

        The asset's own row shows its latest event, so it is written once per asset.
        """
        insert = SqlEventLogStorageTable.insert()
        returning_ids = insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        with self.index_transaction() as connection:
            ids = connection.execute(returning_ids, list(rows)).scalars().all()
            self._store_asset_event_tags(connection, events, ids)
            latest = {event.get_dagster_event().asset_key: position for position, event in enumerate(events)}
            for position in latest.values():
                self._store_asset_event(connection, events[position], ids[position])


class BatchedSqliteEventLog(BatchedIndex, SqliteEventLogStorage):
    """The default event log of a Dagster home that autosr makes."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return the config schema: a folder, by default that of Dagster's own event log."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Return the storage configured in `dagster.yaml`, and make Dagster hand over events in batches.

        Raises:
            SettingsError: no folder is configured, and `DAGSTER_HOME` is not set.
        """
        enable_event_batches()
        folder, home = config_value.get("base_dir"), os.environ.get("DAGSTER_HOME")
        if not folder and not home:
            raise SettingsError("event_log_storage has no base_dir, and DAGSTER_HOME is not set; give one of them")
        return cls(folder or os.path.join(str(home), "history", "runs"), inst_data)  # noqa: PTH118 - as Dagster joins it

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event."""
        with _errors_without_statement():
            super().store_event(event)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """Yield a connection to one of the files, like Dagster's own method, but with an engine that is kept."""
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store a batch of events in one transaction, with the same result as `store_event` for each of them."""
        with _errors_without_statement():
            self._store_event_batch(events)

    def _store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        asset_events = [event for event in events if event.dagster_event_type in ASSET_EVENTS]
        for event in events:
            if event.dagster_event_type not in ASSET_EVENTS:
                self.store_event(event)
        if not asset_events:
            return
        rows = [self._event_to_row(event) for event in asset_events]
        insert = SqlEventLogStorageTable.insert()
        for run_id in dict.fromkeys(event.run_id for event in asset_events):
            with self.run_connection(run_id) as connection:
                connection.execute(insert, [row for row in rows if row["run_id"] == run_id])
        self._store_in_index(asset_events, rows)


@contextmanager
def _errors_without_statement() -> Iterator[None]:
    """Remove the SQL statement from database errors: Dagster prints the error, and the statement holds whole events."""
    try:
        yield
    except DBAPIError as error:
        error.statement = error.code = ""
        raise


@lru_cache(maxsize=16)
def _engine(address: str) -> Engine:
    """Return the engine of a file. It keeps compiled statements, but no connection stays open after its use."""
    return create_engine(address, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
