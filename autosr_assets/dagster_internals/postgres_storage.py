"""Dagster's Postgres storage, with an event log that keeps its connections and stores planned events in batches.

Dagster's own event log opens a connection for each event, which takes longer than storing the event. Of the batches that
it is handed, it stores materializations together but planned materializations (one per prompt and asset) one by one. The
tables are Dagster's: each class reads what the other one wrote.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config

from autosr_assets.dagster_internals.event_batches import enable_event_batches
from autosr_assets.dagster_internals.event_log import BatchedIndex


class BatchedPostgresEventLog(BatchedIndex, PostgresEventLogStorage):
    """An event log that keeps at most two idle connections; it opens more while they are in use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._engine = create_pg_engine(
            self.postgres_url,
            self._token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=2,  # Dagster inspects tables while a transaction is open
            max_overflow=-1,
            pool_pre_ping=True,  # the server may have been restarted
        )

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store a batch of events, with the same result as `store_event` for each of them."""
        planned, rest = list[EventLogEntry](), list[EventLogEntry]()
        for event in events:
            is_planned = event.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION_PLANNED
            (planned if is_planned else rest).append(event)
        if rest:
            super().store_event_batch(rest)
        if planned:
            self._store_in_index(planned, [self._event_to_row(event) for event in planned])


class BatchedPostgresStorage(DagsterPostgresStorage):
    """The class to name under `storage: custom:` in `dagster.yaml`; its config is that of `storage: postgres:`."""

    def __init__(self, postgres_url: str, should_autocreate_tables: bool, inst_data: Any, token_provider: Any) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        # Dagster's own event log, made by the call above, has already created the tables.
        self._event_log_storage = BatchedPostgresEventLog(postgres_url, False, token_provider=token_provider)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Return the storage configured in `dagster.yaml`, and make Dagster hand over events in batches."""
        enable_event_batches()
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )
