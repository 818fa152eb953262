"""The propose phase of a generation: children that the proposer writes, before any of them is graded."""

import asyncio
from dataclasses import dataclass

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import ReplyError
from autosr_lib.search.budget import affordable_modes
from autosr_lib.search.context import SearchContext
from autosr_lib.search.contrast import ChosenPair, choose_pairs, show_pairs
from autosr_lib.search.mutation import apply_proposal, perturb_weights
from autosr_lib.search.population import Individual
from autosr_lib.search.randomness import generator
from autosr_lib.search.roles import MutationMode, ProposeRequest
from autosr_lib.search.selection import Selection
from autosr_lib.search.state import Calls, SearchState

ATTEMPTS_PER_GENERATION = 1000
"""Requests are numbered `generation * 1000 + attempt`, so that every request of a search has its own number."""


@dataclass(frozen=True)
class PlannedChild:
    """A child that is to be proposed."""

    attempt: int
    """Its number among the children of its generation: 0, 1, …"""
    mode: MutationMode
    parent: Individual
    pairs: tuple[ChosenPair, ...]
    """The pairs that the proposer is shown."""


@dataclass(frozen=True)
class Child:
    """A proposed rubric that is not evaluated yet."""

    rubric: Rubric
    plan: PlannedChild

    @property
    def new_keys(self) -> frozenset[str]:
        """Return the keys of the criteria that the parent lacks."""
        return frozenset(self.rubric.weight_by_key.keys() - self.plan.parent.rubric.weight_by_key.keys())


@dataclass(frozen=True)
class ProposedChildren:
    """The children that differ from the population and from each other, and the requests made for them."""

    children: tuple[Child, ...]
    calls: Calls
    is_limited: bool
    """Whether the prompt's budget was too small to propose every selected child."""


async def propose_children(context: SearchContext, state: SearchState, selection: Selection) -> ProposedChildren:
    """Return the children of the selected parents, as many as the prompt's budget allows.

    All children of a generation are proposed before any is graded, so that their criteria can share requests.
    """
    modes = affordable_modes(context, state.calls, selection.modes)
    plans = _plan_children(context, state, Selection(selection.parents, modes))
    proposals = await asyncio.gather(*(_propose(context, state, plan) for plan in plans))
    children, fingerprints = [], {individual.fingerprint for individual in state.population}
    for plan, proposal in zip(plans, proposals, strict=True):
        if isinstance(proposal, Rubric) and proposal.fingerprint not in fingerprints:
            fingerprints.add(proposal.fingerprint)
            children.append(Child(proposal, plan))
    calls = Calls(
        proposer=sum(mode is not MutationMode.WEIGHT_PERTURB for mode in modes),
        failed=sum(isinstance(proposal, ReplyError) for proposal in proposals),
    )
    return ProposedChildren(tuple(children), calls, is_limited=len(modes) < len(selection.modes))


def _plan_children(context: SearchContext, state: SearchState, selection: Selection) -> list[PlannedChild]:
    """Return a plan for each child; children of the same parent are shown different pairs."""
    parents, count = selection.parents, context.settings.mutation.contrast_pairs
    scores = context.graded(state.bank).score([parent.rubric for parent in parents]).score
    plans = []
    for attempt, mode in enumerate(selection.modes):
        earlier_siblings, index = divmod(attempt, len(parents))
        pairs = choose_pairs(scores[index], context.prepared, context.contrast, count, earlier_siblings)
        plans.append(PlannedChild(attempt, mode, parents[index], pairs))
    return plans


async def _propose(context: SearchContext, state: SearchState, plan: PlannedChild) -> Rubric | ReplyError | None:
    """Return the child's rubric, None if it has nothing new, or the error if the reply could not be read."""
    prompt, generation, parent = context.prepared.prompt, state.generation + 1, plan.parent.rubric
    if plan.mode is MutationMode.WEIGHT_PERTURB:
        rng = generator(context.settings.seed, prompt.prompt_id, generation, "weight_perturb", plan.attempt)
        return perturb_weights(parent, rng)
    pairs = show_pairs(plan.pairs, parent, state.bank, context.prepared)
    number = generation * ATTEMPTS_PER_GENERATION + plan.attempt
    request = ProposeRequest(prompt.prompt_id, prompt.prompt, parent, plan.mode, pairs, number)
    try:
        proposal = await context.roles.proposer.propose(request)
    except ReplyError as error:
        return error
    return apply_proposal(parent, proposal, context.settings.evolution.max_criteria)
