"""Prints the best rubric of a dataset's first prompt and the scores: `python examples/search_one_prompt.py [DATASET]`."""

import asyncio
import sys

from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.storage.datasets import read_dataset


async def _search(path: str = f"{sys.path[0]}/demo_dataset.json") -> None:
    prompt, roles, settings = read_dataset(path).prompts[0], heuristic_roles(seed=7), SearchSettings()
    preferences = await gather_preferences(prompt, ReferenceSettings(), roles.judge)
    prepared = PreparedPrompt.of(prompt, preferences, HoldoutSettings(), settings.objective)
    context = SearchContext(prepared, roles, settings, Structure(generations=4))
    state = await start_search(context)
    for _ in range(context.structure.generations):
        state = await advance_search(context, state)
    best = await conclude_search(context, state)
    print(*(f"{w:4.0%}  {c.text}" for w, c in zip(best.rubric.weights, best.rubric.criteria, strict=True)), sep="\n")
    print(*(f"{s:.3f}  {c}" for c, s in sorted(best.candidate_scores.items(), key=lambda i: -(i[1] or 0))), sep="\n")


asyncio.run(_search(*sys.argv[1:2]))
