"""The component of a dataset: its prompts, one partition each, and their preferences."""

from functools import partial
from typing import Annotated, Any

import dagster as dg
from pydantic import BaseModel, Field

from autosr_assets.automation.incoming import Inbox
from autosr_assets.automation.incoming_sensor import WATCH_SECONDS, incoming_sensor
from autosr_assets.automation.pools import endpoint_pool
from autosr_assets.checks.dataset_checks import dataset_checks
from autosr_assets.components.prompt_assets import PromptAssets
from autosr_assets.components.settings_config import settings_resource
from autosr_assets.runtime.graph_names import (
    TABLES,
    candidates_key,
    checked_name,
    dataset_key,
    dataset_settings_key,
    preferences_key,
)
from autosr_assets.runtime.interrupts import run_until_complete
from autosr_assets.runtime.io_manager import PartitionRows
from autosr_assets.runtime.run_tags import dataset_tags
from autosr_assets.steps.dataset import dataset_metadata, register_prompts
from autosr_assets.steps.publishing import publish_rows
from autosr_assets.steps.runners import RUN_RESOURCES, dataset_plan, dataset_runner
from autosr_assets.views.columns import columns_metadata
from autosr_assets.views.metadata import candidates_metadata, preferences_metadata
from autosr_lib.errors import SettingsError
from autosr_lib.pipeline.dataset_storage import store_dataset
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.settings import DatasetRunSettings
from autosr_lib.storage.tables.candidates import CANDIDATES
from autosr_lib.storage.tables.preferences import PREFERENCES
from autosr_lib.storage.tables.prompts import PROMPTS


class PromptDatasetParams(BaseModel):
    """Parameters of `dg scaffold defs` for a dataset."""

    path: str = Field("examples/demo_dataset.json", description="Path of the dataset's file.")


class PromptDatasetScaffolder(dg.Scaffolder[PromptDatasetParams]):
    """Writes the YAML of a dataset."""

    @classmethod
    def get_scaffold_params(cls) -> type[PromptDatasetParams]:
        """Return the model of the command's parameters."""
        return PromptDatasetParams

    def scaffold(self, request: dg.ScaffoldRequest[PromptDatasetParams]) -> None:
        """Write `defs.yaml`."""
        dg.scaffold_component(request, {"settings": {"path": request.params.path}})


@dg.scaffold_with(PromptDatasetScaffolder)
class PromptDataset(dg.Component, dg.Model, dg.Resolvable):
    """A file of prompts with their candidates, and the preferences between the candidates of each prompt."""

    name: str | None = None
    """Name of the dataset; by default the name of its folder in `defs/`."""
    # Dagster cannot resolve a pydantic model whose fields have bounds, so this resolver returns the model unchanged.
    settings: Annotated[Any, dg.Resolver(lambda _, value: value, model_field_type=DatasetRunSettings)]
    """The path of the file, how preferences are judged, and which candidates are held out."""
    chunk_size: int | None = None
    """Number of prompts in one run of a backfill; by default one run covers all prompts."""
    incoming: str | None = None
    """Folder, or address such as `s3://…`, that is watched for new files of the dataset; by default `data/incoming`."""
    watch_seconds: int = WATCH_SECONDS
    """Seconds between two evaluations of the sensor. A file is accepted once it is unchanged between two of them."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the dataset; without a `name` it is named after its folder."""
        return self.definitions(self.name or context.path.name)

    def definitions(self, name: str) -> dg.Definitions:
        """Return the assets, checks, job, sensor and settings of the dataset."""
        checked_name(name, "dataset")
        settings: DatasetRunSettings = self.settings
        is_sampled = bool(settings.responses.response_models)
        resources = frozenset({dataset_settings_key(name), *RUN_RESOURCES})
        prompts = PromptAssets(name, resources, self.chunk_size, endpoint_pool(settings.backend))
        job = dg.define_asset_job(
            f"{name}_dataset",
            dg.AssetSelection.assets(dataset_key(name)),
            description=f"Reads the dataset {name} and registers its prompts.",
            tags=dataset_tags(name),
            executor_def=dg.in_process_executor,
        )
        return dg.Definitions(
            assets=[
                _dataset(name),
                *([_candidates(prompts)] if is_sampled else []),
                _preferences(prompts, is_sampled=is_sampled),
            ],
            asset_checks=dataset_checks(name, is_sampled=is_sampled),
            jobs=[job],
            sensors=[incoming_sensor(name, job, partial(self.inbox, name), self.watch_seconds)],
            resources={
                dataset_settings_key(name): settings_resource(
                    settings,
                    f"Settings of the dataset {name}.",
                    self.check_settings,
                    partial(self.current_settings, name),
                    lambda _: dataset_tags(name),
                )
            },
        )

    def inbox(self, name: str) -> Inbox:
        """Return the folder in which new files of the dataset are dropped."""
        return Inbox.of(name, self.incoming)

    def current_settings(self, name: str) -> DatasetRunSettings:
        """Return the settings; the file that the sensor accepted last, if any, replaces the `path` of the YAML."""
        settings: DatasetRunSettings = self.settings
        accepted = self.inbox(name).accepted()
        return settings if accepted is None else settings.model_copy(update={"path": str(accepted)})

    def check_settings(self, settings: DatasetRunSettings) -> None:
        """Reject overrides that would change which assets exist.

        Raises:
            SettingsError: the run has response models and the graph has no asset `candidates`, or the reverse.
        """
        models = list(settings.responses.response_models)
        if bool(models) != bool(self.settings.responses.response_models):
            raise SettingsError(
                f"responses.response_models is {models}, but a run cannot add or remove the asset `candidates`; "
                "change it in the dataset's YAML"
            )


def _dataset(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=dataset_key(name),
        group_name=name,
        description="One row is one validated prompt with its candidates. Its prompts are the partitions of the other assets.",
        metadata=columns_metadata(PROMPTS),
        io_manager_key=TABLES,
        required_resource_keys={dataset_settings_key(name), TABLES},
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=METHOD_VERSION,
        kinds={"parquet"},
    )
    def dataset(context: dg.AssetExecutionContext) -> Any:
        plan, store = dataset_plan(context.resources, name), getattr(context.resources, TABLES).store
        summary = store_dataset(plan.settings, store, plan.dataset_table)
        for message in (*summary.findings.warnings, *summary.findings.faults):
            context.log.warning(message)
        register_prompts(context.instance, name, summary.keys)
        context.add_output_metadata(dataset_metadata(summary))
        context.set_data_version(context.asset_key, dg.DataVersion(summary.findings.sha256))
        return store.stored(plan.dataset_table)

    return dataset


def _candidates(prompts: PromptAssets) -> dg.AssetsDefinition:
    """Return the asset of sampled candidates, which exists only if response models are configured."""

    @prompts.asset(
        candidates_key(prompts.dataset),
        "One row holds the candidates that models sampled for a prompt with fewer than two candidates of its own.",
        CANDIDATES,
    )
    def candidates(context: dg.AssetExecutionContext) -> PartitionRows:
        runner = dataset_runner(context.resources, prompts.dataset)
        result = run_until_complete(runner.sample_candidates(context.partition_keys, candidates_metadata))
        return publish_rows(context, result, candidates_metadata)

    return candidates


def _preferences(prompts: PromptAssets, *, is_sampled: bool) -> dg.AssetsDefinition:
    @prompts.asset(
        preferences_key(prompts.dataset),
        "One row is one pair of candidates, judged by a model or ordered by its labels.",
        PREFERENCES,
        # Only for execution order and lineage: readers of a prompt add its sampled candidates themselves.
        deps=[candidates_key(prompts.dataset)] if is_sampled else [],
    )
    def preferences(context: dg.AssetExecutionContext) -> PartitionRows:
        runner = dataset_runner(context.resources, prompts.dataset)
        result = run_until_complete(runner.gather_preferences(context.partition_keys, preferences_metadata))
        return publish_rows(context, result, preferences_metadata)

    return preferences
