"""Makes plans and runners from the resources of a run."""

from typing import Any

from autosr_assets.runtime.graph_names import TABLES, dataset_settings_key, search_settings_key
from autosr_assets.runtime.resources import BACKENDS, PROGRESS, ROW_CACHE
from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.pipeline.dataset_runner import DatasetRunner
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.pipeline.search_runner import SearchRunner
from autosr_lib.search.settings import Structure

RUN_RESOURCES = (TABLES, BACKENDS, PROGRESS, ROW_CACHE)
"""Keys of the resources that every step over prompts uses, besides its settings."""


def run_context(resources: Any) -> RunContext:
    """Return the context that the steps of the run share."""
    return RunContext(
        getattr(resources, TABLES).store,
        getattr(resources, BACKENDS),
        getattr(resources, PROGRESS),
        getattr(resources, ROW_CACHE),
    )


def dataset_plan(resources: Any, dataset: str) -> DatasetPlan:
    """Return the plan of a dataset, with the settings of the run."""
    return DatasetPlan(dataset, getattr(resources, dataset_settings_key(dataset)))


def dataset_runner(resources: Any, dataset: str) -> DatasetRunner:
    """Return the runner of a dataset's steps."""
    return DatasetRunner(dataset_plan(resources, dataset), run_context(resources))


def search_runner(resources: Any, dataset: str, search: str, structure: Structure) -> SearchRunner:
    """Return the runner of a search's steps, for the prompts that are currently stored."""
    run, settings = run_context(resources), getattr(resources, search_settings_key(search))
    return SearchRunner(SearchPlan.of(dataset_plan(resources, dataset), search, structure, settings, run.store), run)
