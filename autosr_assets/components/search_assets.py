"""The assets of a search: initial rubrics, a chain of generations, the best rubrics and their export."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from autosr_assets.checks.search_checks import check_search, check_specs
from autosr_assets.components.per_prompt import PerPrompt, published
from autosr_assets.graph_names import TABLES, dataset_key, preferences_key, prompts_of, search_settings_key
from autosr_assets.io_manager import PartitionRows
from autosr_assets.steps.export import export_search
from autosr_assets.steps.hard_prompts import hard_prompts, read_chosen
from autosr_assets.steps.range_events import log_materializations
from autosr_assets.steps.search_steps import SearchSteps
from autosr_assets.steps.step_resources import preference_step
from autosr_assets.views.columns import columns_metadata
from autosr_assets.views.metadata import POPULATION_COLUMNS, best_metadata, population_metadata
from autosr_lib.results.summary import SearchSummary
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.search.settings import Scope, Structure
from autosr_lib.settings import SearchRunSettings
from autosr_lib.storage.store import StoredTable
from autosr_lib.storage.tables.best_rubrics import BEST_RUBRICS, BestRubricRow, read_best_rubric
from autosr_lib.storage.tables.hard_prompts import HARD_PROMPTS
from autosr_lib.storage.tables.population import POPULATION


@dataclass(frozen=True)
class SearchAssets:
    """The assets of one search."""

    name: str
    structure: Structure
    prompts: PerPrompt
    """The prompts that it searches."""

    def key(self, asset: str) -> dg.AssetKey:
        """Return the key of one of the assets."""
        return dg.AssetKey([self.name, asset])

    def assets(self) -> list[dg.AssetsDefinition]:
        """Return all of them, in the order in which they are made."""
        chain, choices = [self._initial_rubrics()], list[dg.AssetsDefinition]()
        for number in range(1, self.structure.generations + 1):
            if self.structure.scope is Scope.GLOBAL_BATCH:
                choices.append(self._hard_prompts(number, chain[-1].key))
            chain.append(self._generation(number, chain[-1].key, choices[-1].key if choices else None))
        return [*chain, *choices, self._best_rubrics(chain[-1].key)]

    def steps(self, resources: Any) -> SearchSteps:
        """Return what the assets do, with the settings of a run."""
        settings: SearchRunSettings = getattr(resources, search_settings_key(self.name))
        return SearchSteps(preference_step(resources, self.prompts.dataset), self.name, self.structure, settings)

    def _per_prompt(
        self,
        asset: str,
        description: str,
        previous: dg.AssetKey | None = None,
        hard: dg.AssetKey | None = None,
    ) -> Callable[[Callable[..., PartitionRows]], dg.AssetsDefinition]:
        """Return the decorator of an asset that sees the dataset, the preferences and what came before."""
        sources = {"preferences": preferences_key(self.prompts.dataset)}
        if previous is not None:
            sources["previous"] = previous
        if hard is not None:
            sources["hard"] = hard
        return self.prompts.asset(self.key(asset), description, POPULATION, sources)

    def _initial_rubrics(self) -> dg.AssetsDefinition:
        @self._per_prompt("initial_rubrics", "One row is one individual of the first population.")
        def initial_rubrics(
            context: dg.AssetExecutionContext, dataset: StoredTable, preferences: dict[str, StoredTable]
        ) -> PartitionRows:
            filled = self.steps(context.resources).run_initial(dataset, context.partition_keys, preferences)
            return published(context, filled, population_metadata, POPULATION_COLUMNS)

        return initial_rubrics

    def _hard_prompts(self, number: int, previous_key: dg.AssetKey) -> dg.AssetsDefinition:
        """Return the asset that looks at all prompts after a generation: only in scope `global_batch`."""

        @dg.asset(
            key=self.key(f"hard_prompts_{number:02d}"),
            ins={"dataset": dg.AssetIn(dataset_key(self.prompts.dataset))},
            # On keys only: it reads the few columns that it needs from storage.
            deps=[dg.AssetDep(previous_key, partition_mapping=dg.AllPartitionMapping())],
            description=f"One row is one prompt, how hard it is, and whether generation {number} evolves it.",
            metadata=columns_metadata(HARD_PROMPTS),
            group_name=self.name,
            io_manager_key=TABLES,
            required_resource_keys=set(self.prompts.resources),
            backfill_policy=dg.BackfillPolicy.single_run(),
            code_version=METHOD_VERSION,
            kinds={"parquet"},
        )
        def hard(context: dg.AssetExecutionContext, dataset: StoredTable) -> pa.Table:
            steps = self.steps(context.resources)
            table = steps.table(steps.generation_name(number - 1))
            rows = hard_prompts(steps.store, table, dataset, steps.settings.evolution.batch_size)
            context.add_output_metadata({"prompts": rows.num_rows, "hard": pc.sum(rows["is_hard"]).as_py()})
            return rows

        return hard

    def _generation(self, number: int, previous_key: dg.AssetKey, hard_key: dg.AssetKey | None) -> dg.AssetsDefinition:
        @self._per_prompt(
            f"generation_{number:02d}",
            f"One row is one individual of the population after generation {number}, with its lineage.",
            previous_key,
            hard_key,
        )
        def generation(
            context: dg.AssetExecutionContext,
            dataset: StoredTable,
            preferences: dict[str, StoredTable],
            previous: dict[str, StoredTable],
            **hard: StoredTable,
        ) -> PartitionRows:
            steps = self.steps(context.resources)
            chosen = read_chosen(hard["hard"]) if hard else None
            filled = steps.run_generation(number, dataset, context.partition_keys, preferences, previous, chosen)
            return published(context, filled, population_metadata, POPULATION_COLUMNS)

        return generation

    def _best_rubrics(self, last_key: dg.AssetKey) -> dg.AssetsDefinition:
        """Return the two ends of the search as one step, so that a failed prompt neither stops nor hides the rest.

        Nothing is returned through the IO manager: the step stores its rows itself, logs a materialization for each
        good prompt and for the export, checks both, and then fails if a prompt did.
        """
        best, export = self.key("best_rubrics"), self.key("rubric_export")
        common: dict[str, Any] = {
            "group_name": self.name,
            "skippable": True,
            "code_version": METHOD_VERSION,
            "kinds": {"parquet"},
        }
        dataset = self.prompts.dataset

        @dg.multi_asset(
            name=f"{self.name}__best_rubrics",
            specs=[
                dg.AssetSpec(
                    best,
                    deps=[last_key, dataset_key(dataset), preferences_key(dataset)],
                    partitions_def=prompts_of(dataset),
                    description="One row is the rubric that was chosen for a prompt, with every candidate's score.",
                    metadata=columns_metadata(BEST_RUBRICS),
                    **common,
                ),
                dg.AssetSpec(
                    export,
                    deps=[best, dataset_key(dataset)],
                    description="The JSON of the whole search, with its manifest.",
                    **{**common, "kinds": {"json"}},
                ),
            ],
            check_specs=check_specs(best, export),
            can_subset=True,
            required_resource_keys=set(self.prompts.resources),
            backfill_policy=self.prompts.backfill_policy,
            pool=self.prompts.pool,
        )
        def best_rubrics(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
            steps = self.steps(context.resources)
            handle = steps.store.stored("/".join(dataset_key(dataset).path))
            failed: dict[str, str] = {}
            summary: SearchSummary | None = None
            if best in context.selected_asset_keys:
                filled = steps.run_best(handle, context.partition_keys)
                failed = filled.failed
                good = {
                    key: h for key, h in filled.handles.items() if key not in failed and key not in filled.withdrawn
                }
                used = filled.used
                log_materializations(
                    context, (_materialized(best, key, h, used.get(key, {})) for key, h in good.items())
                )
            if export in context.selected_asset_keys:
                written = export_search(steps, handle, context.run.run_id)
                summary = written.summary
                tags = {"dagster/data_version": summary.totals.rubrics_sha256}
                context.log_event(dg.AssetMaterialization(export, metadata=written.metadata, tags=tags))
                context.log.info("wrote %s", written.path)
            yield from check_search(steps, handle, context.selected_asset_check_keys, summary)
            if failed:
                raise dg.Failure(failure_text(failed), allow_retries=False)

        return best_rubrics


def _materialized(
    asset: dg.AssetKey, key: str, stored: StoredTable, used: Mapping[str, Any]
) -> dg.AssetMaterialization:
    """Return the record of one good prompt; its data version is what its rubric depends on and says."""
    row = read_best_rubric(stored.read())
    assert isinstance(row, BestRubricRow)  # noqa: S101 - it is only called for prompts that did not fail
    return dg.AssetMaterialization(
        asset, partition=key, metadata={**best_metadata(row), **used}, tags={"dagster/data_version": row.data_version}
    )


def failure_text(failed: Mapping[str, str], shown: int = 20) -> str:
    """Return one line that names the prompts that failed, the first `shown` with their errors."""
    named = "; ".join(f"{key!r}: {error}" for key, error in list(failed.items())[:shown])
    more = f"; and {len(failed) - shown} more" if len(failed) > shown else ""
    return f"{len(failed)} prompts failed; the others are stored and exported. {named}{more}"
