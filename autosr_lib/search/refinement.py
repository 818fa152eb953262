"""Iterative refinement, the baseline: refinement-through-differentiation of arXiv 2509.21500."""

from dataclasses import replace

from autosr_lib.search.evolution import breed
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.state import State, Task

REFINING = MutationMode.RAISE_BAR


async def refine(task: Task, state: State) -> State:
    """Return the state after one more round: contrast two candidates, refine the rubric, keep it if it is not worse.

    With `accept_only_if_improve` off every refinement is kept, as in the paper.
    """
    parent = state.best
    bred = await breed(task, state, [parent], [REFINING])
    children = [one for one in bred.population if one.operator == REFINING and one.generation == bred.generation]
    if not children:
        return replace(bred, population=(parent,))
    child = children[0]
    is_kept = not task.settings.refinement.accept_only_if_improve or child.evaluation.merit >= parent.evaluation.merit
    return replace(bred, population=(child if is_kept else parent,), kept={str(REFINING): int(is_kept)})
