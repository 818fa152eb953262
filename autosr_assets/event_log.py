"""Alias of `dagster_internals.event_log`: the `dagster.yaml` of every Dagster home that autosr made names this module."""

from autosr_assets.dagster_internals.event_log import BatchedSqliteEventLog

__all__ = ["BatchedSqliteEventLog"]
