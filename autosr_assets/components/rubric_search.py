"""A search in the graph, from YAML: its assets, jobs, sensor and schedule."""

from functools import partial
from typing import Annotated, Any

import dagster as dg
from pydantic import BaseModel, Field

from autosr_assets.automation.incoming_sensor import WATCH_SECONDS
from autosr_assets.automation.pools import endpoint_pool
from autosr_assets.automation.search_jobs import Times, search_jobs
from autosr_assets.automation.search_requests import CHUNK, SearchRequests
from autosr_assets.components.defs_folder import defined_in
from autosr_assets.components.per_prompt import PerPrompt
from autosr_assets.components.search_assets import SearchAssets
from autosr_assets.components.settings_config import settings_resource
from autosr_assets.runtime.graph_names import (
    asset_key,
    checked_name,
    dataset_settings_key,
    preferences_key,
    search_settings_key,
)
from autosr_assets.runtime.run_tags import search_tags
from autosr_assets.steps.runners import RUN_RESOURCES
from autosr_lib.errors import SettingsError
from autosr_lib.search.profiles import profile_settings
from autosr_lib.search.settings import Mode, Scope, Structure
from autosr_lib.settings import SearchRunSettings
from autosr_lib.settings_merge import merge_settings, nested_settings
from autosr_lib.storage.table_names import TableName


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
        checked_name(name, "search")
        settings = self.effective_settings
        resources = frozenset({search_settings_key(name), dataset_settings_key(self.dataset), *RUN_RESOURCES})
        prompts = PerPrompt(self.dataset, resources, self.chunk_size, endpoint_pool(settings.backend))
        graph = SearchAssets(name, self.structure, prompts)
        assets, export = graph.assets(), asset_key(TableName.rubric_export(name))
        per_prompt = [preferences_key(self.dataset), *(key for of in assets for key in of.keys if key != export)]
        tags_of = partial(search_tags, self.dataset, name, self.structure)
        own = dg.Definitions(
            assets=assets,
            resources={
                search_settings_key(name): settings_resource(
                    settings, f"Settings of the search {name}.", self.check_settings, tags_of=tags_of
                )
            },
        )
        jobs = search_jobs(
            assets,
            tags_of(settings),
            SearchRequests(name, self.dataset, per_prompt, self.chunk_size or CHUNK),
            graph.runner,
            set(resources),
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
