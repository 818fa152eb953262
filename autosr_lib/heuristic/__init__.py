"""The offline backend: every role filled in by measures; deterministic, no network."""

from autosr_lib.heuristic.initializer import HeuristicInitializer
from autosr_lib.heuristic.judge import HeuristicJudge
from autosr_lib.heuristic.proposer import HeuristicProposer
from autosr_lib.heuristic.verifier import HeuristicVerifier
from autosr_lib.search.roles import Roles

__all__ = ["heuristic_roles"]


def heuristic_roles(seed: int, noise: float = 0.0) -> Roles:
    """Return roles that answer from measures and word overlap alone.

    Args:
        seed: of the proposer's choices and the verifier's noise.
        noise: >= 0, standard deviation on the unit scale of the Gaussian noise of each lexical grade and vote.
    """
    return Roles(
        initializer=HeuristicInitializer(),
        proposer=HeuristicProposer(seed),
        verifier=HeuristicVerifier(seed, noise),
        judge=HeuristicJudge(),
    )
