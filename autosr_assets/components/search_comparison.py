"""The component that compares searches over one dataset."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
from pydantic import BaseModel, Field

from autosr_assets.automation.incoming_sensor import WATCH_SECONDS
from autosr_assets.components.defs_folder import declared_searches
from autosr_assets.runtime.graph_names import TABLES, asset_key, checked_name, common_dataset, dataset_key
from autosr_assets.runtime.run_tags import ASKED_BY, dataset_tags
from autosr_assets.steps.comparison import compare_searches, compared_table, comparison_metadata
from autosr_assets.views.columns import columns_metadata
from autosr_lib.errors import SettingsError
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.run_results import COMPARISON


class SearchComparisonParams(BaseModel):
    """Parameters of `dg scaffold defs` for a comparison."""

    searches: str | None = Field(
        None,
        description="Names of the searches, separated by commas; by default all searches over the first dataset that has "
        "two or more.",
    )


class SearchComparisonScaffolder(dg.Scaffolder[SearchComparisonParams]):
    """Writes the YAML of a comparison of existing searches over one dataset."""

    @classmethod
    def get_scaffold_params(cls) -> type[SearchComparisonParams]:
        """Return the model of the command's parameters."""
        return SearchComparisonParams

    def scaffold(self, request: dg.ScaffoldRequest[SearchComparisonParams]) -> None:
        """Write `defs.yaml`.

        Raises:
            SettingsError: the searches cannot be compared, or none are named and no dataset has two.
        """
        declared = declared_searches(request.target_path.parent)
        if request.params.searches is not None:
            searches = [name.strip() for name in request.params.searches.split(",")]
        else:
            by_dataset = defaultdict[str | None, list[str]](list)
            for search, dataset in declared.items():
                by_dataset[dataset].append(search)
            searches = next((names for names in by_dataset.values() if len(names) > 1), [])
        if not searches:
            raise SettingsError(
                "no dataset in defs/ has two searches; "
                "first run dg scaffold defs autosr_assets.components.RubricSearch NAME"
            )
        common_dataset(searches, declared)  # rejects searches that cannot be compared
        dg.scaffold_component(request, {"searches": searches})


@dg.scaffold_with(SearchComparisonScaffolder)
class SearchComparison(dg.Component, dg.Model, dg.Resolvable):
    """A comparison of searches over one dataset, prompt by prompt on the same held-out pairs."""

    name: str | None = None
    """Name of the asset; by default the name of its folder in `defs/`."""
    searches: Sequence[str]
    """Names of the searches; each is compared with the first."""
    watch_seconds: int = WATCH_SECONDS
    """Seconds between two evaluations of the sensor for new results."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the comparison; without a `name` it is named after its folder.

        Raises:
            SettingsError: the searches cannot be compared.
        """
        dataset = common_dataset(self.searches, declared_searches(context.defs_module_path))
        return self.definitions(self.name or context.path.name, dataset)

    def definitions(self, name: str, dataset: str) -> dg.Definitions:
        """Return the asset that compares the searches over this dataset, and the sensor that updates it."""
        key = asset_key(TableName.comparison(dataset, checked_name(name, "comparison")))
        searches = tuple(self.searches)

        @dg.asset(
            key=key,
            deps=[dataset_key(dataset), *(asset_key(TableName.rubric_export(search)) for search in searches)],
            group_name=dataset,
            description="One row is one prompt in one search: its held-out pairs, how many its best rubric orders correctly, and "
            "its calls.",
            metadata=columns_metadata(COMPARISON),
            io_manager_key=TABLES,
            required_resource_keys={TABLES},
            backfill_policy=dg.BackfillPolicy.single_run(),
            code_version=METHOD_VERSION,
            kinds={"parquet"},
            automation_condition=_has_new_results(dataset_key(dataset)),
        )
        def comparison(context: dg.AssetExecutionContext) -> pa.Table:
            compared = compare_searches(getattr(context.resources, TABLES).store, dataset, searches)
            context.add_output_metadata(comparison_metadata(compared))
            return compared_table(compared)

        sensor = dg.AutomationConditionSensorDefinition(
            f"{dataset}_{name}",
            target=dg.AssetSelection.assets(key),
            description=f"Compares {', '.join(searches)} again when an export of one of them has changed.",
            minimum_interval_seconds=self.watch_seconds,
            default_status=dg.DefaultSensorStatus.RUNNING,
            run_tags={**dataset_tags(dataset), ASKED_BY: "new results"},
        )
        return dg.Definitions(assets=[comparison], sensors=[sensor])


def _has_new_results(dataset: dg.AssetKey) -> dg.AutomationCondition[Any]:
    """Return the automation condition of a comparison: an export has other rubrics, or there is no comparison yet.

    Changes of the dataset are ignored, since results change only when its searches run. After a failure the comparison
    runs again only when an export changes.
    """
    condition = dg.AutomationCondition
    exports_changed = condition.any_deps_match(condition.data_version_changed()).ignore(
        dg.AssetSelection.assets(dataset)
    )
    is_first = condition.missing() & ~condition.execution_failed()
    is_idle = ~condition.any_deps_missing() & ~condition.any_deps_in_progress() & ~condition.in_progress()
    return (exports_changed.since_last_handled() | is_first) & is_idle
