"""Iterative refinement, the baseline: refinement-through-differentiation of arXiv 2509.21500."""

from dataclasses import replace

from autosr_lib.search.evolution import breed
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.state import SearchContext, State

REFINING = MutationMode.RAISE_BAR


async def refine(context: SearchContext, state: State) -> State:
    """Return the state after one more round: contrast two candidates, refine the rubric, keep it if it is not worse.

    With `accept_only_if_improve` off every refinement is kept, as in the paper, but for one that lacks grades where its
    parent has them all.
    """
    bred = await breed(as_baseline(context), state, [state.best], [REFINING])
    parent = next(one for one in bred.population if one.is_same_as(state.best))
    children = [one for one in bred.population if one is not parent]
    if not children:
        return replace(bred, population=(parent,))
    mine, theirs = children[0].evaluation, parent.evaluation
    must_improve = context.settings.refinement.accept_only_if_improve
    is_kept = mine.merit >= theirs.merit if must_improve else mine.is_complete >= theirs.is_complete
    return replace(bred, population=(children[0] if is_kept else parent,), kept={str(REFINING): int(is_kept)})


def as_baseline(context: SearchContext) -> SearchContext:
    """Return the context without what the paper's refinement does not have: racing, free modes, a population to win in."""
    plain = {"racing": False, "free_modes": (), "population_size": 2, "elitism_count": 1}
    evolution = context.settings.evolution.model_copy(update=plain)
    return replace(context, settings=context.settings.model_copy(update={"evolution": evolution}))
