"""The search of one prompt from start to conclusion, without tables."""

from autosr_lib.search.conclusion import Conclusion, conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.state import SearchState


async def search_prompt(context: SearchContext) -> tuple[SearchState, Conclusion]:
    """Return the last state of the search, and its conclusion."""
    state = await start_search(context)
    for _ in range(context.structure.generations):
        state = await advance_search(context, state)
    return state, await conclude_search(context, state)
