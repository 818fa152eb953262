"""The jobs of a search."""

from collections.abc import Mapping, Sequence

import dagster as dg

from autosr_assets.dagster_internals.private_names import UnresolvedAssetJobDefinition
from autosr_assets.runtime.graph_names import asset_key, dataset_key, preferences_key
from autosr_lib.storage.table_names import TableName


def search_jobs(
    name: str, dataset: str, assets: Sequence[dg.AssetsDefinition], tags: Mapping[str, str]
) -> tuple[UnresolvedAssetJobDefinition, UnresolvedAssetJobDefinition]:
    """Return the job that searches and the job that only exports.

    Args:
        name: name of the search.
        dataset: name of its dataset.
        assets: assets of the search.
        tags: tags of all runs of the jobs.
    """
    preferences, best = preferences_key(dataset), asset_key(TableName.best_rubrics(name))
    search = dg.define_asset_job(
        f"{name}_search",
        # One step upstream of the preferences are the sampled candidates, if the dataset has them.
        dg.AssetSelection.assets(preferences).upstream(depth=1) - dg.AssetSelection.assets(dataset_key(dataset))
        | dg.AssetSelection.assets(*assets),
        description=f"Searches for the best rubric of every prompt of {dataset}.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    export = dg.define_asset_job(
        f"{name}_export",
        dg.AssetSelection.assets(asset_key(TableName.rubric_export(name)))
        | dg.AssetSelection.checks_for_assets(preferences, best),
        description=f"Writes the export of {name} from the stored rubrics, and checks it.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    return search, export
