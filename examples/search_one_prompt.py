"""Searches for the rubric of one prompt with the library alone: `python examples/search_one_prompt.py [DATASET]`."""

import asyncio
import sys
from pathlib import Path

from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.storage.datasets import read_dataset


async def main(path: str) -> None:
    """Print the best rubric of the dataset's first prompt."""
    prompt, roles, settings = read_dataset(path).prompts[0], heuristic_roles(seed=7), SearchSettings()
    preferences = await gather_preferences(prompt, ReferenceSettings(), roles.judge)
    prepared = PreparedPrompt.of(prompt, preferences, HoldoutSettings(), settings.objective)
    context = SearchContext(prepared, roles, settings, Structure(generations=4))
    state = await start_search(context)
    for _ in range(context.structure.generations):
        state = await advance_search(context, state)
    rubric = (await conclude_search(context, state)).rubric
    print(*(f"{weight:4.0%}  {c.text}" for c, weight in zip(rubric.criteria, rubric.weights, strict=True)), sep="\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent / "demo_dataset.json")))
