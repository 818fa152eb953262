"""Metadata for all partitions of a step, added in one call."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator


def add_partition_metadata(context: dg.AssetExecutionContext, metadata_by_key: Mapping[str, Mapping[str, Any]]) -> None:
    """Add metadata to the materialization of each partition key of the asset.

    `context.add_asset_metadata` reads all partition keys of the asset, and copies all metadata, at every call: hours for
    ten thousand prompts. This function does the same for all keys at once.
    """
    step = context.get_step_execution_context()
    accumulator: OutputMetadataAccumulator = step._metadata_accumulator  # noqa: SLF001 - there is no public way
    added: dict[Any, Mapping[str, Any]] = {
        AssetMetadataHandle(asset_key=context.asset_key, partition_key=key): metadata
        for key, metadata in metadata_by_key.items()
    }
    step._metadata_accumulator = OutputMetadataAccumulator(  # noqa: SLF001
        per_output_metadata={**accumulator.per_output_metadata, **added}
    )
