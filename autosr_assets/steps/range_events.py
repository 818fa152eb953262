"""Materializations of a range, handed to the event log in batches."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata
from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator


def log_materializations(context: dg.AssetExecutionContext, found: Iterable[dg.AssetMaterialization]) -> None:
    """Log these materializations as one batch.

    `context.log_event` hands each over by itself, and keeps all of them in memory until the step ends.
    """
    step, batch = context.get_step_execution_context(), str(uuid.uuid4())
    rest = iter(found)
    following = next(rest, None)
    while (known := following) is not None:
        following = next(rest, None)
        DagsterEvent.asset_materialization(step, known, DagsterEventBatchMetadata(batch, is_end=following is None))


def add_metadata(context: dg.AssetExecutionContext, by_key: Mapping[str, Mapping[str, Any]]) -> None:
    """Publish metadata by partition key.

    `context.add_asset_metadata` reads all partition keys of the asset, and copies all metadata, at every call: hours at
    ten thousand prompts. What it does at the end is done here once for all keys.
    """
    step = context.get_step_execution_context()
    known: OutputMetadataAccumulator = step._metadata_accumulator  # noqa: SLF001 - there is no public way
    added: dict[Any, Mapping[str, Any]] = {
        AssetMetadataHandle(asset_key=context.asset_key, partition_key=key): metadata
        for key, metadata in by_key.items()
    }
    step._metadata_accumulator = OutputMetadataAccumulator(  # noqa: SLF001
        per_output_metadata={**known.per_output_metadata, **added}
    )
