"""Dagster's SQLite event log, written many events at a time.

Dagster's own makes a new engine three times for each event, and commits twice. Here an engine is kept for as long as its file is in use. Dagster hands over the events of a range in batches, if the storage can take them;
that of Postgres can. The files are those of `SqliteEventLogStorage`: either class reads what the other wrote.
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

from autosr_assets.home import ask_for_batches
from autosr_lib.errors import SettingsError


class BatchedIndex(SqlEventLogStorage):
    """What event logs that write in batches share: the table of the events of all runs, on SQLite or Postgres."""

    def _store_in_index(self, events: Sequence[EventLogEntry], rows: Sequence[Mapping[str, Any]]) -> None:
        """Store events of assets, given their rows, in one transaction.

        Of an asset's own row, which shows its latest event, only the last one is written.
        """
        insert = SqlEventLogStorageTable.insert()
        told = insert.returning(SqlEventLogStorageTable.c.id, sort_by_parameter_order=True)
        with self.index_transaction() as connection:
            ids = connection.execute(told, list(rows)).scalars().all()
            self._store_asset_event_tags(connection, events, ids)
            latest = {event.get_dagster_event().asset_key: place for place, event in enumerate(events)}
            for place in latest.values():
                self._store_asset_event(connection, events[place], ids[place])


class BatchedSqliteEventLog(BatchedIndex, SqliteEventLogStorage):
    """The default event log of a Dagster home that autosr makes."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return the config: a folder, by default that of Dagster's own event log."""
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Return the storage that `dagster.yaml` asks for, and ask Dagster for batches.

        Raises:
            SettingsError: it has no folder, and there is no `DAGSTER_HOME` to have one in.
        """
        ask_for_batches()
        folder, home = config_value.get("base_dir"), os.environ.get("DAGSTER_HOME")
        if not folder and not home:
            raise SettingsError("event_log_storage has no base_dir, and DAGSTER_HOME is not set; give one of them")
        return cls(folder or os.path.join(str(home), "history", "runs"), inst_data)  # noqa: PTH118

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event."""
        with _without_statement():
            super().store_event(event)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """Yield a connection to one of the files, as Dagster's own does, by an engine that is kept."""
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store the events of a batch in one transaction, as `store_event` would each."""
        with _without_statement():
            self._store_event_batch(events)

    def _store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        of_assets = [event for event in events if event.dagster_event_type in ASSET_EVENTS]
        for event in events:
            if event.dagster_event_type not in ASSET_EVENTS:
                self.store_event(event)
        if not of_assets:
            return
        rows = [self._event_to_row(event) for event in of_assets]
        insert = SqlEventLogStorageTable.insert()
        for run_id in dict.fromkeys(event.run_id for event in of_assets):
            with self.run_connection(run_id) as connection:
                connection.execute(insert, [row for row in rows if row["run_id"] == run_id])
        self._store_in_index(of_assets, rows)


@contextmanager
def _without_statement() -> Iterator[None]:
    """Leave the statement out of what the database refuses: Dagster prints the error, and with it whole events."""
    try:
        yield
    except DBAPIError as error:
        error.statement = error.code = ""
        raise


@lru_cache(maxsize=16)
def _engine(address: str) -> Engine:
    """Return the engine of a file: it keeps its compiled statements, and no connection that would outlive its use."""
    return create_engine(address, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
