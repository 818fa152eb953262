"""Alias of `dagster_internals.postgres_storage`: `deploy/dagster.yaml`, and copies of it, name this module."""

from autosr_assets.dagster_internals.postgres_storage import BatchedPostgresStorage

__all__ = ["BatchedPostgresStorage"]
