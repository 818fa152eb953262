"""Dagster's storage in Postgres, whose event log keeps its connections and writes what is planned in batches.

Dagster's own connects anew for each event, which takes longer than the event. Of the events that it hands over in
batches it writes materializations so; those that are planned, one for each prompt and asset, go one by one. The tables
are Dagster's: either class reads what the other wrote.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config

from autosr_assets.event_log import BatchedIndex
from autosr_assets.home import ask_for_batches


class BatchedPostgresEventLog(BatchedIndex, PostgresEventLogStorage):
    """An event log that keeps two connections at most, and has more only while they are in use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._engine = create_pg_engine(
            self.postgres_url,
            self._token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=2,  # tables are looked at while a transaction is under way
            max_overflow=-1,
            pool_pre_ping=True,  # the server may have been started anew
        )

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store the events of a batch as `store_event` would each."""
        planned, others = list[EventLogEntry](), list[EventLogEntry]()
        for event in events:
            is_planned = event.dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION_PLANNED
            (planned if is_planned else others).append(event)
        if others:
            super().store_event_batch(others)
        if planned:
            self._store_in_index(planned, [self._event_to_row(event) for event in planned])


class BatchedPostgresStorage(DagsterPostgresStorage):
    """What a `dagster.yaml` names in `storage: custom:`, with the config of Dagster's own `storage: postgres:`."""

    def __init__(self, postgres_url: str, should_autocreate_tables: bool, inst_data: Any, token_provider: Any) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        # Dagster's own event log has just seen to the tables.
        self._event_log_storage = BatchedPostgresEventLog(postgres_url, False, token_provider=token_provider)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Return the storage that `dagster.yaml` asks for, and ask Dagster for batches."""
        ask_for_batches()
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )
