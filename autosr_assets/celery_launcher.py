"""Alias of `dagster_internals.celery_launcher`: `deploy/dagster.yaml`, and copies of it, name this module."""

from autosr_assets.dagster_internals.celery_launcher import HeedfulCeleryRunLauncher

__all__ = ["HeedfulCeleryRunLauncher"]
