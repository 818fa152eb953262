"""Searches a dataset without Dagster and without tables, to measure the cost of the search alone.

Run `python -m benchmarks.library_search DATASET GENERATIONS`. As in the graph, all prompts complete a generation before the
next one starts.
"""

import asyncio
import sys

from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.probing import probe_rubric
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.storage.datasets import read_dataset


async def search_dataset(path: str, generations: int) -> None:
    """Search the prompts of a file with the heuristic roles."""
    roles, settings, structure = heuristic_roles(7), SearchSettings(), Structure(generations=generations)
    searches = []
    for prompt in read_dataset(path).prompts:
        preferences = await gather_preferences(prompt, ReferenceSettings(), roles.judge)
        prepared = PreparedPrompt.of(prompt, preferences, HoldoutSettings(), settings.objective)
        context = SearchContext(prepared, roles, settings, structure)
        searches.append((context, await start_search(context)))
    for _ in range(generations):
        searches = [(context, await advance_search(context, state)) for context, state in searches]
    for context, state in searches:
        await probe_rubric(context, state, await conclude_search(context, state))


if __name__ == "__main__":
    asyncio.run(search_dataset(sys.argv[1], int(sys.argv[2])))
