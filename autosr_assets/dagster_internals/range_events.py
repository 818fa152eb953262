"""Materializations of a range of partitions, logged in one batch."""

import uuid
from collections.abc import Iterable

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata


def log_materializations(
    context: dg.AssetExecutionContext, materializations: Iterable[dg.AssetMaterialization]
) -> None:
    """Log these materializations as one batch.

    `context.log_event` hands each one over separately, and keeps all of them in memory until the step ends.
    """
    step, batch = context.get_step_execution_context(), str(uuid.uuid4())
    remaining = iter(materializations)
    following = next(remaining, None)
    while (materialization := following) is not None:
        following = next(remaining, None)
        DagsterEvent.asset_materialization(
            step, materialization, DagsterEventBatchMetadata(batch, is_end=following is None)
        )
