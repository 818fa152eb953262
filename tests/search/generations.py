"""Generations of one planted prompt, for the tests of evolution."""

import asyncio
from dataclasses import replace

from autosr_lib.evaluation.roles import GradeRequest
from autosr_lib.search.context import SearchContext
from autosr_lib.search.evolution import run_generation
from autosr_lib.search.roles import MutationMode, Proposal, Roles
from autosr_lib.search.selection import Selection
from autosr_lib.search.state import SearchState
from tests.fakes import (
    FakeInitializer,
    FakeJudge,
    FakeProposer,
    FakeVerifier,
    ScriptedProposer,
    criterion,
)
from tests.worlds import context_of, planted_prompt, search_settings, states_of

FREE = MutationMode.REWEIGHT, MutationMode.PRUNE, MutationMode.CROSSOVER, MutationMode.GATHER


def generation_of(
    context: SearchContext, modes: list[MutationMode]
) -> tuple[SearchState, SearchState, list[GradeRequest]]:
    """Return the state before and after one generation with these modes, and its requests to the verifier."""
    (before,) = states_of(replace(context, structure=context.structure.model_copy(update={"generations": 0})))
    already_sent = len(context.roles.verifier.requests)
    after = asyncio.run(run_generation(context, before, Selection([before.best], modes)))
    return before, after, context.roles.verifier.requests[already_sent:]


def context_with(
    proposer: object = None, verifier: FakeVerifier | None = None, generations: int = 3, **changes: dict[str, object]
) -> SearchContext:
    roles = Roles(FakeInitializer(), proposer or FakeProposer(), verifier or FakeVerifier(0.3), FakeJudge())
    return context_of(planted_prompt(10, kinds=10, seed=2), roles, search_settings(**changes), generations=generations)


def proposing(*names: str) -> ScriptedProposer:
    return ScriptedProposer(lambda request: Proposal(tuple(criterion(name) for name in names)))
