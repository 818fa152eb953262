"""Searches a complete dataset in one call, without Dagster: the steps of the graph, one after the other."""

from autosr_lib.pipeline.dataset_storage import store_dataset
from autosr_lib.pipeline.prompt_table import StepResult
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.pipeline.search_runner import SearchRunner
from autosr_lib.search.settings import Scope
from autosr_lib.storage.tables.hard_prompts import hard_prompts_table


async def search_dataset(plan: SearchPlan, run: RunContext) -> StepResult:
    """Store the dataset's file, search all its prompts and return the result of the last step, the best rubrics.

    Rows that are up to date stay as they are, so that an interrupted search continues where it ended.

    Raises:
        DatasetError: the file cannot be used; names every fault.
        EndpointError: the endpoint cannot be used.
        StorageError: a table cannot be read or written.
    """
    keys = store_dataset(plan.dataset.settings, run.store, plan.dataset.dataset_table).keys
    plan = plan.with_stored_prompts(run.store)
    runner = SearchRunner(plan, run)
    if plan.dataset.samples_candidates:
        await runner.dataset_runner.sample_candidates(keys)
    await runner.dataset_runner.gather_preferences(keys)
    await runner.initial_rubrics(keys)
    for number in range(1, plan.structure.generations + 1):
        if plan.structure.scope is Scope.GLOBAL_BATCH:
            hard = hard_prompts_table(runner.choose_hard_prompts(number))
            run.store.write(plan.hard_prompts_table(number), None, hard)
        await runner.generation(number, keys)
    return await runner.best_rubrics(keys)
