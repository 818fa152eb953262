"""What assets use beside tables and settings: the backends of a run, its progress and its row cache."""

import dagster as dg

from autosr_assets.runtime.home import cache_location
from autosr_assets.runtime.run_process import tag_run
from autosr_lib.pipeline.backend_pool import BackendPool
from autosr_lib.pipeline.progress import NoProgress, Progress
from autosr_lib.pipeline.row_cache import RowCache

BACKENDS = "backends"
PROGRESS = "progress"
ROW_CACHE = "row_cache"


def _backends(init: dg.InitResourceContext) -> BackendPool:
    if init.run is None:
        return BackendPool(cache_location=cache_location)
    # This runs first of all our code in the process that runs the steps; our jobs have the in-process executor.
    if init.instance is not None:
        tag_run(init.instance, init.run)
    return BackendPool(init.run.run_id, cache_location)


def run_resources(progress: Progress | None = None) -> dict[str, dg.ResourceDefinition]:
    """Return the resources that every component needs, beside the tables."""
    return {
        BACKENDS: dg.ResourceDefinition(_backends, description="Who answers the roles; opened when needed."),
        PROGRESS: dg.ResourceDefinition.hardcoded_resource(progress or NoProgress(), "Receives how far a run is."),
        ROW_CACHE: dg.ResourceDefinition(
            lambda _: RowCache(), description="Rows that one step of a run leaves in memory for the next."
        ),
    }
