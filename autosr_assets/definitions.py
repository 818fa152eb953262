"""The definitions that Dagster loads: the components of `defs/`, and the resources that they share."""

from pathlib import Path

import dagster as dg

from autosr_assets.dagster_internals.event_batches import enable_event_batches
from autosr_assets.runtime.graph_names import TABLES
from autosr_assets.runtime.io_manager import ParquetIOManager
from autosr_assets.runtime.resources import run_resources
from autosr_lib.pipeline.progress import Progress

enable_event_batches()  # for Dagster's own Postgres storage; our storages enable batches themselves


def shared(progress: Progress | None = None) -> dg.Definitions:
    """Return the resources and the executor of every dataset and search. Progress is reported to `progress`."""
    return dg.Definitions(
        resources={TABLES: ParquetIOManager(), **run_resources(progress)},
        # One process per step would cost seconds per step, and all model calls of a run must share one rate limit.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of all YAML files in `defs/`, with the shared resources."""
    return dg.Definitions.merge(shared(), dg.load_from_defs_folder(path_within_project=Path(__file__).parent))
