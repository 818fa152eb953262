"""How a search is started: its jobs, and what starts them without anybody."""

from collections.abc import Sequence
from typing import NamedTuple

import dagster as dg

from autosr_assets.automation.search_requests import SearchRequests
from autosr_assets.automation.search_triggers import RunnerOf, new_prompts_sensor, nightly_schedule
from autosr_assets.runtime.graph_names import asset_key, dataset_key, preferences_key
from autosr_lib.storage.table_names import TableName


class Times(NamedTuple):
    """When a search looks for what there is to do."""

    watch_seconds: int
    nightly: str


def search_jobs(
    assets: Sequence[dg.AssetsDefinition],
    tags: dict[str, str],
    requests: SearchRequests,
    runner_of: RunnerOf,
    resources: set[str],
    times: Times,
) -> dg.Definitions:
    """Return the jobs, the sensor and the schedule of a search.

    Args:
        assets: of the search.
        tags: of all its runs.
        requests: of the runs that start by themselves.
        runner_of: returns the runner of the search, from the resources of a run.
        resources: that this needs.
        times: when there is a look.
    """
    name = requests.search
    preferences, best = preferences_key(requests.dataset), asset_key(TableName.best_rubrics(name))
    search = dg.define_asset_job(
        f"{name}_search",
        # The preferences, and before them the candidates where the dataset samples some.
        dg.AssetSelection.assets(preferences).upstream(depth=1)
        - dg.AssetSelection.assets(dataset_key(requests.dataset))
        | dg.AssetSelection.assets(*assets),
        description=f"Searches for the best rubric of every prompt of {requests.dataset}.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    export = dg.define_asset_job(
        f"{name}_export",
        dg.AssetSelection.assets(asset_key(TableName.rubric_export(name)))
        | dg.AssetSelection.checks_for_assets(preferences, best),
        description=f"Writes the export of {name} from what is stored, and checks it.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(
        jobs=[search, export],
        sensors=[new_prompts_sensor((search, export), requests, runner_of, resources, times.watch_seconds)],
        schedules=[nightly_schedule(search, requests, runner_of, resources, times.nightly)],
    )
