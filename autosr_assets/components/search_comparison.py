"""Searches over one dataset in the graph, side by side."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
from pydantic import BaseModel, Field

from autosr_assets.automation.incoming_sensor import WATCH_SECONDS
from autosr_assets.components.defs_folder import defined_in
from autosr_assets.runtime.graph_names import TABLES, asset_key, checked_name, common_dataset, dataset_key
from autosr_assets.runtime.run_tags import ASKED_BY, dataset_tags
from autosr_assets.steps.comparison import compare_searches, compared_table, comparison_metadata
from autosr_assets.views.columns import columns_metadata
from autosr_lib.errors import SettingsError
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.run_results import COMPARISON


class SearchComparisonParams(BaseModel):
    """What `dg scaffold defs` asks for a comparison."""

    searches: str | None = Field(
        None, description="Names of the searches, with commas; by default all those over the first dataset with two."
    )


class SearchComparisonScaffolder(dg.Scaffolder[SearchComparisonParams]):
    """Writes YAML that loads: the searches exist and are over one dataset."""

    @classmethod
    def get_scaffold_params(cls) -> type[SearchComparisonParams]:
        """Return what may be said on the command line."""
        return SearchComparisonParams

    def scaffold(self, request: dg.ScaffoldRequest[SearchComparisonParams]) -> None:
        """Write `defs.yaml`."""
        known = {
            one.name: one.attributes.get("dataset")
            for one in defined_in(request.target_path.parent)
            if one.kind == "RubricSearch"
        }
        named = request.params.searches
        if named is not None:
            searches = [name.strip() for name in named.split(",")]
        else:
            together = [[name for name in known if known[name] == dataset] for dataset in known.values()]
            searches = next((names for names in together if len(names) > 1), [])
        if not searches:
            raise SettingsError(
                "no dataset in defs/ has two searches; first: dg scaffold defs autosr_assets.components.RubricSearch NAME"
            )
        common_dataset(searches, known)
        dg.scaffold_component(request, {"searches": searches})


@dg.scaffold_with(SearchComparisonScaffolder)
class SearchComparison(dg.Component, dg.Model, dg.Resolvable):
    """What searches over one dataset have found, prompt by prompt on the same held-out pairs."""

    name: str | None = None
    """Name of the asset; by default that of its folder in `defs/`."""
    searches: Sequence[str]
    """Names of the searches; all others are compared with the first."""
    watch_seconds: int = WATCH_SECONDS
    """Seconds between two looks at whether they have new results."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the asset, named after the component's folder if it has no name."""
        found = defined_in(context.defs_module_path)
        known = {one.name: one.attributes.get("dataset") for one in found if one.kind == "RubricSearch"}
        return self.definitions(self.name or context.path.name, common_dataset(self.searches, known))

    def definitions(self, name: str, dataset: str) -> dg.Definitions:
        """Return the asset that compares the searches, all of them over this dataset."""
        key = asset_key(TableName.comparison(dataset, checked_name(name, "comparison")))
        searches = tuple(self.searches)

        @dg.asset(
            key=key,
            deps=[dataset_key(dataset), *(asset_key(TableName.rubric_export(search)) for search in searches)],
            group_name=dataset,
            description="One row is one prompt in one search: its held-out pairs, those ordered rightly, and its calls.",
            metadata=columns_metadata(COMPARISON),
            io_manager_key=TABLES,
            required_resource_keys={TABLES},
            backfill_policy=dg.BackfillPolicy.single_run(),
            code_version=METHOD_VERSION,
            kinds={"parquet"},
            automation_condition=_has_new_results(dataset_key(dataset)),
        )
        def comparison(context: dg.AssetExecutionContext) -> pa.Table:
            found = compare_searches(getattr(context.resources, TABLES).store, dataset, searches)
            context.add_output_metadata(comparison_metadata(found))
            return compared_table(found)

        sensor = dg.AutomationConditionSensorDefinition(
            f"{dataset}_{name}",
            target=dg.AssetSelection.assets(key),
            description=f"Compares {', '.join(searches)} again when an export of theirs says something new.",
            minimum_interval_seconds=self.watch_seconds,
            default_status=dg.DefaultSensorStatus.RUNNING,
            run_tags={**dataset_tags(dataset), ASKED_BY: "new results"},
        )
        return dg.Definitions(assets=[comparison], sensors=[sensor])


def _has_new_results(dataset: dg.AssetKey) -> dg.AutomationCondition[Any]:
    """Return the condition to compare: an export came to other rubrics, or nothing has been compared yet.

    A new dataset brings no results, its searches do. A comparison that failed waits for other rubrics.
    """
    when = dg.AutomationCondition
    are_others = when.any_deps_match(when.data_version_changed()).ignore(dg.AssetSelection.assets(dataset))
    are_first = when.missing() & ~when.execution_failed()
    is_quiet = ~when.any_deps_missing() & ~when.any_deps_in_progress() & ~when.in_progress()
    return (are_others.since_last_handled() | are_first) & is_quiet
