"""Classes of Dagster that `dagster` does not export, under one import."""

from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.errors import DagsterAssetCheckFailedError

__all__ = ["DagsterAssetCheckFailedError", "UnresolvedAssetJobDefinition"]
