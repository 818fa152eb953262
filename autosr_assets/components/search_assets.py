"""The assets of a search: initial rubrics, one asset per generation, the best rubrics and their export."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.checks.search_checks import check_search, check_specs
from autosr_assets.components.prompt_assets import PromptAssets
from autosr_assets.dagster_internals.range_events import log_materializations
from autosr_assets.runtime.graph_names import TABLES, asset_key, dataset_key, preferences_key, prompts_of
from autosr_assets.runtime.interrupts import run_until_complete
from autosr_assets.runtime.io_manager import PartitionRows
from autosr_assets.steps.export import export_search
from autosr_assets.steps.publishing import publish_rows
from autosr_assets.steps.runners import search_runner
from autosr_assets.views.columns import columns_metadata
from autosr_assets.views.metadata import POPULATION_COLUMNS, best_metadata, population_metadata
from autosr_lib.domain.wording import plural
from autosr_lib.pipeline.prompt_table import StepResult
from autosr_lib.pipeline.search_runner import SearchRunner
from autosr_lib.results.summary import SearchSummary
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.search.settings import Scope, Structure
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import BEST_RUBRICS, BestRubricRow
from autosr_lib.storage.tables.hard_prompts import HARD_PROMPTS, hard_prompts_table
from autosr_lib.storage.tables.population import POPULATION


@dataclass(frozen=True)
class SearchAssets:
    """The assets of one search."""

    name: str
    structure: Structure
    prompts: PromptAssets
    """What its assets over prompts have in common."""

    def assets(self) -> list[dg.AssetsDefinition]:
        """Return the assets: populations in the order of generations, then hard prompts, then the best rubrics."""
        populations, hard_prompts = [self._initial_rubrics()], list[dg.AssetsDefinition]()
        for number in range(1, self.structure.generations + 1):
            upstream = [populations[-1].key]
            if self.structure.scope is Scope.GLOBAL_BATCH:
                hard_prompts.append(self._hard_prompts(number, populations[-1].key))
                upstream.append(hard_prompts[-1].key)
            populations.append(self._generation(number, upstream))
        return [*populations, *hard_prompts, self._best_rubrics(populations[-1].key)]

    def runner(self, resources: Any) -> SearchRunner:
        """Return the runner of the search, made from the resources of a run."""
        return search_runner(resources, self.prompts.dataset, self.name, self.structure)

    def _population(
        self, number: int, description: str, upstream: Sequence[dg.AssetKey] = ()
    ) -> Callable[[Callable[..., PartitionRows]], dg.AssetsDefinition]:
        """Return the decorator of the asset of the population after generation `number`."""
        key = asset_key(TableName.generation(self.name, number))
        return self.prompts.asset(key, description, POPULATION, [preferences_key(self.prompts.dataset), *upstream])

    def _initial_rubrics(self) -> dg.AssetsDefinition:
        @self._population(0, "One row is one individual of the initial population.")
        def initial_rubrics(context: dg.AssetExecutionContext) -> PartitionRows:
            runner = self.runner(context.resources)
            result = run_until_complete(runner.initial_rubrics(context.partition_keys, population_metadata))
            return publish_rows(context, result, population_metadata, POPULATION_COLUMNS)

        return initial_rubrics

    def _hard_prompts(self, number: int, previous_key: dg.AssetKey) -> dg.AssetsDefinition:
        """Return the asset that selects the prompts that a generation evolves; it exists only in scope `global_batch`."""

        @dg.asset(
            key=asset_key(TableName.hard_prompts(self.name, number)),
            deps=[
                dataset_key(self.prompts.dataset),
                dg.AssetDep(previous_key, partition_mapping=dg.AllPartitionMapping()),
            ],
            description=f"One row is one prompt, how hard it is, and whether generation {number} evolves it.",
            metadata=columns_metadata(HARD_PROMPTS),
            group_name=self.name,
            io_manager_key=TABLES,
            required_resource_keys=set(self.prompts.resources),
            backfill_policy=dg.BackfillPolicy.single_run(),
            code_version=METHOD_VERSION,
            kinds={"parquet"},
        )
        def hard_prompts(context: dg.AssetExecutionContext) -> pa.Table:
            rows = self.runner(context.resources).choose_hard_prompts(number)
            context.add_output_metadata({"prompts": len(rows), "hard": sum(row.is_hard for row in rows)})
            return hard_prompts_table(rows)

        return hard_prompts

    def _generation(self, number: int, upstream: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
        @self._population(
            number,
            f"One row is one individual of the population after generation {number}, with its lineage.",
            upstream,
        )
        def generation(context: dg.AssetExecutionContext) -> PartitionRows:
            runner = self.runner(context.resources)
            result = run_until_complete(runner.generation(number, context.partition_keys, population_metadata))
            return publish_rows(context, result, population_metadata, POPULATION_COLUMNS)

        return generation

    def _best_rubrics(self, last_key: dg.AssetKey) -> dg.AssetsDefinition:
        """Return the best rubrics and their export as one step, so that they are exported even if some prompts failed.

        The step does not use the IO manager: it stores its rows itself, logs a materialization for each prompt that
        succeeded and for the export, yields the results of the checks, and then fails if any prompt failed.
        """
        best, export = asset_key(TableName.best_rubrics(self.name)), asset_key(TableName.rubric_export(self.name))
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
                    description="One row is the best rubric of a prompt, with the score of every candidate.",
                    metadata=columns_metadata(BEST_RUBRICS),
                    **common,
                ),
                dg.AssetSpec(
                    export,
                    deps=[best, dataset_key(dataset)],
                    description="The best rubrics of all prompts as one JSON file, with the manifest of the run.",
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
            runner = self.runner(context.resources)
            failed: Mapping[str, str] = {}
            summary: SearchSummary | None = None
            if best in context.selected_asset_keys:
                result = run_until_complete(runner.best_rubrics(context.partition_keys))
                _log_best_rubrics(context, best, runner, result)
                failed = result.failed
            if export in context.selected_asset_keys:
                summary = _write_export(context, export, runner)
            yield from check_search(runner.plan, runner.run.store, context.selected_asset_check_keys, summary)
            if failed:
                raise dg.Failure(failure_text(failed), allow_retries=False)

        return best_rubrics


def _log_best_rubrics(
    context: dg.AssetExecutionContext, asset: dg.AssetKey, runner: SearchRunner, result: StepResult
) -> None:
    """Log a materialization for each prompt that has a best rubric."""
    log_materializations(
        context,
        (_materialization(asset, key, runner.best_row(key), result.usage.get(key, {})) for key in result.succeeded),
    )


def _materialization(
    asset: dg.AssetKey, key: str, row: BestRubricRow, usage: Mapping[str, Any]
) -> dg.AssetMaterialization:
    """Return the materialization of a prompt's best rubric."""
    return dg.AssetMaterialization(
        asset, partition=key, metadata={**best_metadata(row), **usage}, tags={"dagster/data_version": row.data_version}
    )


def _write_export(context: dg.AssetExecutionContext, asset: dg.AssetKey, runner: SearchRunner) -> SearchSummary:
    """Write the export, log its materialization, and return the summary of its rows."""
    written = export_search(runner.plan, runner.run, context.run.run_id)
    tags = {"dagster/data_version": written.summary.totals.rubrics_sha256}
    context.log_event(dg.AssetMaterialization(asset, metadata=written.metadata, tags=tags))
    context.log.info("wrote %s", written.path)
    return written.summary


def failure_text(failed: Mapping[str, str], shown: int = 20) -> str:
    """Return a one-line message about the prompts that failed; the first `shown` are named with their errors.

    >>> failure_text({"p1": "no reply"})
    "1 prompt failed; the others are stored and exported. 'p1': no reply"
    """
    errors = "; ".join(f"{key!r}: {error}" for key, error in list(failed.items())[:shown])
    more = f"; and {len(failed) - shown} more" if len(failed) > shown else ""
    return f"{plural(len(failed), 'prompt')} failed; the others are stored and exported. {errors}{more}"
