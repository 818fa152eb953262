"""Iterative refinement, the baseline: refinement-through-differentiation of arXiv 2509.21500."""

from dataclasses import replace

from autosr_lib.search.context import SearchContext
from autosr_lib.search.evolution import run_generation
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.selection import Selection
from autosr_lib.search.state import SearchState

REFINEMENT_MODE = MutationMode.RAISE_BAR


async def refine(context: SearchContext, state: SearchState) -> SearchState:
    """Return the state after one more round: contrast two candidates, refine the rubric, keep it if it is not worse.

    With `accept_only_if_improve` off, every refinement is kept as in the paper, except one that lacks grades while its
    parent is complete.
    """
    after = await run_generation(as_baseline(context), state, Selection([state.best], [REFINEMENT_MODE]))
    parent = next(individual for individual in after.population if individual.is_same_as(state.best))
    children = [individual for individual in after.population if individual is not parent]
    if not children:
        return replace(after, population=(parent,))
    refined, original = children[0].evaluation, parent.evaluation
    if context.settings.refinement.accept_only_if_improve:
        is_kept = refined.merit >= original.merit
    else:
        is_kept = refined.is_complete >= original.is_complete
    best = children[0] if is_kept else parent
    return replace(after, population=(best,), kept={str(REFINEMENT_MODE): int(is_kept)})


def as_baseline(context: SearchContext) -> SearchContext:
    """Return the context without racing, free modes and a larger population, which the paper's refinement lacks."""
    changes = {"racing": False, "free_modes": (), "population_size": 2, "elitism_count": 1}
    evolution = context.settings.evolution.model_copy(update=changes)
    return replace(context, settings=context.settings.model_copy(update={"evolution": evolution}))
