"""What a step over prompts publishes: metadata of each prompt, and an error line for each that failed."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.dagster_internals.step_metadata import add_partition_metadata
from autosr_assets.runtime.interrupts import run_until_complete
from autosr_assets.runtime.io_manager import PartitionRows
from autosr_lib.pipeline.prompt_table import StepResult


def run_and_publish(
    context: dg.AssetExecutionContext,
    step: Coroutine[Any, Any, StepResult],
    describe: Callable[[pa.Table], Mapping[str, Any]],
    columns: list[str] | None = None,
) -> PartitionRows:
    """Run a step, publish metadata of its prompts, and return the handles on their rows.

    Args:
        context: of the asset.
        step: of a runner that describes the rows it makes.
        describe: returns what is published about rows that were up to date and have to be read.
        columns: that `describe` needs.
    """
    result = run_until_complete(step)
    metadata: dict[str, Mapping[str, Any]] = {}
    for key, handle in result.handles.items():
        description = result.descriptions[key] if key in result.descriptions else describe(handle.read(columns))
        metadata[key] = {**description, **result.usage.get(key, {})}
    add_partition_metadata(context, metadata)
    for key, error in result.failed.items():
        context.log.error("prompt %r failed: %s", key, error)
    return dict(result.handles)
