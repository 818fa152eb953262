"""A search in the graph: initial rubrics, a chain of generations, the best rubrics and their export."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from autosr_assets.automation.incoming_sensor import WATCH_SECONDS
from autosr_assets.automation.pools import endpoint_pool
from autosr_assets.automation.run_tags import search_tags
from autosr_assets.automation.search_jobs import Times, search_jobs
from autosr_assets.automation.search_requests import CHUNK, SearchRequests
from autosr_assets.checks.search_checks import check_search, check_specs
from autosr_assets.components.defs_folder import defined_in
from autosr_assets.components.prompt_dataset import backfill_policy, published
from autosr_assets.components.settings_config import settings_resource
from autosr_assets.graph_names import (
    TABLES,
    checked_name,
    dataset_key,
    dataset_settings_key,
    preferences_key,
    prompts_of,
    search_settings_key,
)
from autosr_assets.io_manager import PARTITION_ROWS_TYPE, PartitionRows
from autosr_assets.steps.export import export_search
from autosr_assets.steps.hard_prompts import hard_prompts, read_chosen
from autosr_assets.steps.range_events import log_materializations
from autosr_assets.steps.search_steps import SearchSteps
from autosr_assets.steps.step_resources import SHARED, preference_step
from autosr_assets.views.metadata import POPULATION_COLUMNS, best_metadata, population_metadata
from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.errors import SettingsError
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.search.profiles import profile as profile_settings
from autosr_lib.search.settings import Mode, Scope, Structure
from autosr_lib.settings import SearchRunSettings
from autosr_lib.settings_merge import merge_settings, nested_settings
from autosr_lib.storage.store import StoredTable


class RubricSearchParams(BaseModel):
    """What `dg scaffold defs` asks for a search."""

    dataset: str | None = Field(None, description="Name of the dataset; by default the first one in defs/.")


class RubricSearchScaffolder(dg.Scaffolder[RubricSearchParams]):
    """Writes YAML that loads: the search is over a dataset that exists."""

    @classmethod
    def get_scaffold_params(cls) -> type[RubricSearchParams]:
        """Return what may be said on the command line."""
        return RubricSearchParams

    def scaffold(self, request: dg.ScaffoldRequest[RubricSearchParams]) -> None:
        """Write `defs.yaml`."""
        datasets = [one.name for one in defined_in(request.target_path.parent) if one.kind == "PromptDataset"]
        dataset = request.params.dataset or (datasets[0] if datasets else "")
        if not dataset:
            raise SettingsError(
                "no dataset in defs/; first: dg scaffold defs autosr_assets.components.PromptDataset NAME"
            )
        dg.scaffold_component(request, {"dataset": dataset})


@dg.scaffold_with(RubricSearchScaffolder)
class RubricSearch(dg.Component, dg.Model, dg.Resolvable):
    """A search for the best rubric of every prompt of a dataset."""

    name: str | None = None
    """Name of the search; by default that of its folder in `defs/`."""
    dataset: str
    """Name of the dataset it searches over."""
    mode: Mode = Mode.EVOLUTIONARY
    """The search algorithm."""
    scope: Scope = Scope.PROMPT_LOCAL
    """Whether prompts evolve on their own, or only the hardest of all do."""
    generations: int = Field(default=Structure().generations, ge=0, le=99)
    """Generations, an asset each; in mode `iterative`, rounds."""
    profile: str = "default"
    """Defaults of the settings: `default`, or `original` for those of the original system."""
    # Dagster cannot resolve a pydantic model that has bounds of its own; the resolver hands it on as it is.
    settings: Annotated[Any, dg.Resolver(lambda _, value: value, model_field_type=SearchRunSettings)] = (
        SearchRunSettings()
    )
    """Everything else; every one of them can be overridden for one run."""
    chunk_size: int | None = None
    """Prompts of one run of a backfill; by default all of them share a run, but at most 1000 one that starts by itself."""
    watch_seconds: int = WATCH_SECONDS
    """Seconds between two looks at whether there are new prompts."""
    nightly: str = "0 3 * * *"
    """When the schedule, which is off until somebody turns it on, looks for prompts to search again: cron, UTC."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the assets of the search, named after the component's folder if it has no name."""
        return self.definitions(self.name or context.path.name)

    def definitions(self, name: str) -> dg.Definitions:
        """Return the assets, job and settings of the search."""
        graph = _Graph(checked_name(name, "search"), self)
        assets = graph.assets()
        per_prompt = [preferences_key(self.dataset), *(key for of in assets for key in of.keys if key != graph.export)]
        own = dg.Definitions(
            assets=assets,
            resources={
                search_settings_key(name): settings_resource(
                    self.effective_settings, f"Settings of the search {name}.", self.check_settings
                )
            },
        )
        jobs = search_jobs(
            assets,
            search_tags(self.dataset, name, self.structure, self.effective_settings),
            SearchRequests(name, self.dataset, per_prompt, self.chunk_size or CHUNK),
            graph.steps,
            graph.resources,
            Times(self.watch_seconds, self.nightly),
        )
        return dg.Definitions.merge(own, jobs)

    @property
    def effective_settings(self) -> SearchRunSettings:
        """Return the settings of the YAML laid over those of its profile."""
        told = profile_settings(self.profile, self.mode)
        told.pop("generations", None)
        usual = merge_settings(SearchRunSettings(), nested_settings(told))
        settings: SearchRunSettings = self.settings
        return merge_settings(usual, settings.model_dump(exclude_unset=True))

    @property
    def structure(self) -> Structure:
        """Return what decides which assets there are."""
        return Structure(mode=self.mode, scope=self.scope, generations=self.generations)

    def check_settings(self, settings: SearchRunSettings) -> None:
        """Refuse what a run may not change, since it decides which assets exist.

        Raises:
            SettingsError: the run asks for more generations than there are assets.
        """
        asked = settings.stop.max_generations
        if asked is not None and asked > self.generations:
            raise SettingsError(
                f"stop.max_generations is {asked}; must be at most {self.generations}, "
                "the `generations` of the search's YAML, which a run cannot raise"
            )


class _Graph:
    """The assets of one search."""

    def __init__(self, name: str, search: RubricSearch) -> None:
        self.name = name
        self.search = search
        self.pool = endpoint_pool(search.effective_settings.backend)
        self.resources = {search_settings_key(name), dataset_settings_key(search.dataset), *SHARED}
        self.export = self._key("rubric_export")

    def assets(self) -> list[dg.AssetsDefinition]:
        chain, choices = [self._initial_rubrics()], list[dg.AssetsDefinition]()
        for number in range(1, self.search.generations + 1):
            if self.search.scope is Scope.GLOBAL_BATCH:
                choices.append(self._hard_prompts(number, chain[-1].key))
            chain.append(self._generation(number, chain[-1].key, choices[-1].key if choices else None))
        return [*chain, *choices, self._best_rubrics(chain[-1].key)]

    def steps(self, resources: Any) -> SearchSteps:
        """Return what the assets do, with the settings of a run."""
        settings: SearchRunSettings = getattr(resources, search_settings_key(self.name))
        return SearchSteps(preference_step(resources, self.search.dataset), self.name, self.search.structure, settings)

    def _key(self, asset: str) -> dg.AssetKey:
        return dg.AssetKey([self.name, asset])

    def _per_prompt(
        self,
        asset: str,
        description: str,
        previous: dg.AssetKey | None = None,
        hard: dg.AssetKey | None = None,
    ) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
        """Return the decorator of an asset that sees the dataset, the preferences and what came before."""
        dataset = self.search.dataset
        sources = {"dataset": dataset_key(dataset), "preferences": preferences_key(dataset)}
        if previous is not None:
            sources["previous"] = previous
        if hard is not None:
            sources["hard"] = hard
        return dg.asset(
            key=self._key(asset),
            ins={name: dg.AssetIn(key) for name, key in sources.items()},
            description=description,
            group_name=self.name,
            io_manager_key=TABLES,
            required_resource_keys=self.resources,
            dagster_type=PARTITION_ROWS_TYPE,
            partitions_def=prompts_of(dataset),
            backfill_policy=backfill_policy(self.search.chunk_size),
            pool=self.pool,
            code_version=METHOD_VERSION,
            kinds={"parquet"},
        )

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
            key=self._key(f"hard_prompts_{number:02d}"),
            ins={"dataset": dg.AssetIn(dataset_key(self.search.dataset))},
            # On keys only: it reads the few columns that it needs from storage.
            deps=[dg.AssetDep(previous_key, partition_mapping=dg.AllPartitionMapping())],
            description=f"One row is one prompt, how hard it is, and whether generation {number} evolves it.",
            group_name=self.name,
            io_manager_key=TABLES,
            required_resource_keys=self.resources,
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
        best, export = self._key("best_rubrics"), self.export
        common: dict[str, Any] = {
            "group_name": self.name,
            "skippable": True,
            "code_version": METHOD_VERSION,
            "kinds": {"parquet"},
        }
        dataset = self.search.dataset

        @dg.multi_asset(
            name=f"{self.name}__best_rubrics",
            specs=[
                dg.AssetSpec(
                    best,
                    deps=[last_key, dataset_key(dataset), preferences_key(dataset)],
                    partitions_def=prompts_of(dataset),
                    description="One row is the rubric that was chosen for a prompt, with every candidate's score.",
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
            required_resource_keys=self.resources,
            backfill_policy=backfill_policy(self.search.chunk_size),
            pool=self.pool,
        )
        def best_rubrics(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
            steps = self.steps(context.resources)
            handle = steps.store.stored("/".join(dataset_key(dataset).path))
            failed: dict[str, str] = {}
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
                path, metadata = export_search(steps, handle, context.run.run_id)
                tags = {"dagster/data_version": metadata["run_manifest"].value["rubrics_sha256"]}
                context.log_event(dg.AssetMaterialization(export, metadata=metadata, tags=tags))
                context.log.info("wrote %s", path)
            yield from check_search(steps, handle, context.selected_asset_check_keys)
            if failed:
                raise dg.Failure(failure_text(failed), allow_retries=False)

        return best_rubrics


def _materialized(
    asset: dg.AssetKey, key: str, stored: StoredTable, used: Mapping[str, Any]
) -> dg.AssetMaterialization:
    """Return the record of one good prompt; its data version is what its rubric depends on and says."""
    row = stored.read().to_pylist()[0]
    version = fingerprint(row["input_fingerprint"], row["rubric"])
    return dg.AssetMaterialization(
        asset, partition=key, metadata={**best_metadata(row), **used}, tags={"dagster/data_version": version}
    )


def failure_text(failed: Mapping[str, str], shown: int = 20) -> str:
    """Return one line that names the prompts that failed, the first `shown` with their errors."""
    named = "; ".join(f"{key!r}: {error}" for key, error in list(failed.items())[:shown])
    more = f"; and {len(failed) - shown} more" if len(failed) > shown else ""
    return f"{len(failed)} prompts failed; the others are stored and exported. {named}{more}"
