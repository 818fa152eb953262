"""Searches for the rubric of one prompt with the library alone: no Dagster, no key, no files but the dataset.

Run `python examples/search_one_prompt.py [DATASET]`.
"""

import asyncio
import sys
from pathlib import Path

from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.search import search_prompt
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.search.state import SearchContext
from autosr_lib.storage.datasets import read_dataset


async def main(path: str) -> None:
    """Print the best rubric of the dataset's first prompt, and the candidates in its order."""
    prompt = read_dataset(path).prompts[0]
    roles, settings = heuristic_roles(seed=7), SearchSettings()
    preferences = await gather_preferences(prompt, ReferenceSettings(), roles.judge)
    prepared = PreparedPrompt.of(prompt, preferences, HoldoutSettings(), settings.objective)
    _, found = await search_prompt(SearchContext(prepared, roles, settings, Structure(generations=4)))
    for criterion, weight in zip(found.rubric.criteria, found.rubric.weights, strict=True):
        print(f"{weight:4.0%}  {criterion.text}")
    for name, score in sorted(found.candidate_scores.items(), key=lambda item: -(item[1] or 0)):
        print(f"{score:.3f}  {name}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent / "demo_dataset.json")))
