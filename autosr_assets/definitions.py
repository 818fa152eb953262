"""Everything Dagster loads: the datasets and searches of `defs/`, and what they share."""

from pathlib import Path

import dagster as dg

from autosr_assets.dagster_internals.event_batches import enable_event_batches
from autosr_assets.runtime.graph_names import TABLES
from autosr_assets.runtime.io_manager import ParquetIOManager
from autosr_assets.runtime.resources import run_resources
from autosr_lib.pipeline.progress import Progress

enable_event_batches()  # for runs on Postgres; our own event log does so itself


def shared(progress: Progress | None = None) -> dg.Definitions:
    """Return what every dataset and search uses; `progress` receives how far a run is."""
    return dg.Definitions(
        resources={TABLES: ParquetIOManager(), **run_resources(progress)},
        # A process for each step would cost seconds a step, and the model calls of a run share one limit.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the graph of all YAML files in `defs/`."""
    return dg.Definitions.merge(shared(), dg.load_from_defs_folder(path_within_project=Path(__file__).parent))
