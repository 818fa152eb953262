"""The resources that the steps of a run share, besides tables and settings: backends, progress and the row cache."""

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
    # Resources are created in the process that runs the steps, since the jobs use the in-process executor.
    if init.instance is not None:
        tag_run(init.instance, init.run)
    return BackendPool(init.run.run_id, cache_location)


def run_resources(progress: Progress | None = None) -> dict[str, dg.ResourceDefinition]:
    """Return the resources that every component needs, besides the tables. Progress is reported to `progress`."""
    return {
        BACKENDS: dg.ResourceDefinition(
            _backends, description="Heuristics or models behind the roles; a backend is opened when it is first used."
        ),
        PROGRESS: dg.ResourceDefinition.hardcoded_resource(progress or NoProgress(), "Receives the progress of a run."),
        ROW_CACHE: dg.ResourceDefinition(
            lambda _: RowCache(), description="Rows that a step of a run keeps in memory for the next steps."
        ),
    }
