"""Publishes the result of a step over prompts: metadata of each prompt, and a log line for each that failed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.dagster_internals.step_metadata import add_partition_metadata
from autosr_assets.runtime.io_manager import PartitionRows
from autosr_lib.pipeline.prompt_table import StepResult


def publish_rows(
    context: dg.AssetExecutionContext,
    result: StepResult,
    describe: Callable[[pa.Table], Mapping[str, Any]],
    columns: Sequence[str] | None = None,
) -> PartitionRows:
    """Publish the metadata of a step's prompts and return the handles on their rows.

    Args:
        context: context of the asset.
        result: result of a runner's step, with descriptions of the rows that it made.
        describe: returns the metadata of rows; called for rows that were up to date.
        columns: the columns that `describe` needs; None reads all.
    """
    metadata: dict[str, Mapping[str, Any]] = {}
    for key, handle in result.handles.items():
        description = result.descriptions[key] if key in result.descriptions else describe(handle.read(columns))
        metadata[key] = {**description, **result.usage.get(key, {})}
    add_partition_metadata(context, metadata)
    for key, error in result.failed.items():
        context.log.error("prompt %r failed: %s", key, error)
    return dict(result.handles)
