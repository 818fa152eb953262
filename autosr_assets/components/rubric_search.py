"""The component of a search: its assets, checks, jobs, sensor and schedule."""

from functools import partial
from typing import Annotated, Any

import dagster as dg
from pydantic import BaseModel, Field

from autosr_assets.automation.incoming_sensor import WATCH_SECONDS
from autosr_assets.automation.pools import endpoint_pool
from autosr_assets.automation.search_jobs import search_jobs
from autosr_assets.automation.search_requests import DEFAULT_CHUNK_SIZE, SearchRequests
from autosr_assets.automation.search_triggers import SearchTriggers
from autosr_assets.components.defs_folder import declared_components
from autosr_assets.components.prompt_assets import PromptAssets
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
    """Parameters of `dg scaffold defs` for a search."""

    dataset: str | None = Field(None, description="Name of the dataset; by default the first dataset in defs/.")


class RubricSearchScaffolder(dg.Scaffolder[RubricSearchParams]):
    """Writes the YAML of a search over an existing dataset."""

    @classmethod
    def get_scaffold_params(cls) -> type[RubricSearchParams]:
        """Return the model of the command's parameters."""
        return RubricSearchParams

    def scaffold(self, request: dg.ScaffoldRequest[RubricSearchParams]) -> None:
        """Write `defs.yaml`.

        Raises:
            SettingsError: no dataset is named, and there is none in `defs/`.
        """
        components = declared_components(request.target_path.parent)
        datasets = (component.name for component in components if component.kind == "PromptDataset")
        dataset = request.params.dataset or next(datasets, None)
        if dataset is None:
            raise SettingsError(
                "defs/ has no dataset; first run dg scaffold defs autosr_assets.components.PromptDataset NAME"
            )
        dg.scaffold_component(request, {"dataset": dataset})


@dg.scaffold_with(RubricSearchScaffolder)
class RubricSearch(dg.Component, dg.Model, dg.Resolvable):
    """A search for the best rubric of every prompt of a dataset."""

    name: str | None = None
    """Name of the search; by default the name of its folder in `defs/`."""
    dataset: str
    """Name of the dataset whose prompts are searched."""
    mode: Mode = Mode.EVOLUTIONARY
    """The search algorithm."""
    scope: Scope = Scope.PROMPT_LOCAL
    """Whether every prompt evolves, or in each generation only the hardest prompts of the dataset."""
    generations: int = Field(default=Structure().generations, ge=0, le=99)
    """Number of generations, or of rounds in mode `iterative`; each is an asset."""
    profile: str = "default"
    """Which defaults the settings have: `default`, or `original` for those of the original system."""
    # Dagster cannot resolve a pydantic model whose fields have bounds, so this resolver returns the model unchanged.
    settings: Annotated[Any, dg.Resolver(lambda _, value: value, model_field_type=SearchRunSettings)] = (
        SearchRunSettings()
    )
    """All other settings; each can be overridden for a single run."""
    chunk_size: int | None = None
    """Number of prompts in one run; by default all in a backfill, and at most 1000 in a run that a sensor or schedule starts."""
    watch_seconds: int = WATCH_SECONDS
    """Seconds between two evaluations of the sensor for new prompts."""
    nightly: str = "0 3 * * *"
    """Cron expression (UTC) of the schedule that repeats missing, failed, stale and incomplete prompts. It is off by default."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the search; without a `name` it is named after its folder."""
        return self.definitions(self.name or context.path.name)

    def definitions(self, name: str) -> dg.Definitions:
        """Return the assets, checks, jobs, sensor, schedule and settings of the search."""
        checked_name(name, "search")
        settings = self.effective_settings
        resources = frozenset({search_settings_key(name), dataset_settings_key(self.dataset), *RUN_RESOURCES})
        prompts = PromptAssets(self.dataset, resources, self.chunk_size, endpoint_pool(settings.backend))
        search = SearchAssets(name, self.structure, prompts)
        assets = search.assets()
        search_keys = [key for definition in assets for key in definition.keys]
        per_prompt = [key for key in search_keys if key != asset_key(TableName.rubric_export(name))]
        requests = SearchRequests(
            name, self.dataset, [preferences_key(self.dataset), *per_prompt], self.chunk_size or DEFAULT_CHUNK_SIZE
        )
        triggers = SearchTriggers(requests, search.runner, resources, self.watch_seconds, self.nightly)
        tags_of = partial(search_tags, self.dataset, name, self.structure)
        search_job, export_job = search_jobs(name, self.dataset, assets, tags_of(settings))
        return dg.Definitions(
            assets=assets,
            jobs=[search_job, export_job],
            sensors=[triggers.new_prompts_sensor(search_job, export_job)],
            schedules=[triggers.nightly_schedule(search_job)],
            resources={
                search_settings_key(name): settings_resource(
                    settings, f"Settings of the search {name}.", self.check_settings, tags_of=tags_of
                )
            },
        )

    @property
    def effective_settings(self) -> SearchRunSettings:
        """Return the settings of the profile, overridden by those of the YAML."""
        profile = profile_settings(self.profile, self.mode)
        profile.pop("generations", None)  # part of the structure
        defaults = merge_settings(SearchRunSettings(), nested_settings(profile))
        settings: SearchRunSettings = self.settings
        return merge_settings(defaults, settings.model_dump(exclude_unset=True))

    @property
    def structure(self) -> Structure:
        """Return the settings that decide which assets exist."""
        return Structure(mode=self.mode, scope=self.scope, generations=self.generations)

    def check_settings(self, settings: SearchRunSettings) -> None:
        """Reject overrides that need more assets than exist.

        Raises:
            SettingsError: `stop.max_generations` exceeds the number of generations in the graph.
        """
        limit = settings.stop.max_generations
        if limit is not None and limit > self.generations:
            raise SettingsError(
                f"stop.max_generations is {limit}; must be at most {self.generations}, "
                "the `generations` of the search's YAML, which a run cannot raise"
            )
