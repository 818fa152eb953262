"""Materializations of a range, handed to the event log in batches."""

import uuid
from collections.abc import Iterable

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata


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
