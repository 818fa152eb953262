"""Prints the best rubric of each prompt of a dataset: `python examples/search_dataset.py [DATASET [FOLDER]]`."""

import asyncio
import sys
from pathlib import Path

from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.search_dataset import search_dataset
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.results.outcomes import read_outcomes
from autosr_lib.search.settings import Structure
from autosr_lib.settings import BackendName, BackendSettings, DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.best_rubrics import BestRubricRow


def main(path: str = str(Path(__file__).with_name("demo_dataset.json")), folder: str = "memory://tables") -> None:
    """Search the prompts of `path` offline; the tables in `folder` let a second run continue."""
    backend, store = BackendSettings(backend=BackendName.HEURISTIC), TableStore(folder)
    dataset = DatasetPlan("demo", DatasetRunSettings(path=path, backend=backend))
    plan = SearchPlan.of(dataset, "demo", Structure(), SearchRunSettings(backend=backend), store)
    asyncio.run(search_dataset(plan, RunContext(store)))
    for _, row in read_outcomes(store, plan.best_table, store.stored(dataset.dataset_table)):
        print(f"\n{row.prompt_id}: {row.status}")
        for criterion in row.rubric if isinstance(row, BestRubricRow) else ():
            print(f"{criterion.weight:4.0%}  {criterion.text}")


main(*sys.argv[1:])
