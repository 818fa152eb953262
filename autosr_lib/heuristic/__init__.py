"""The offline backend: every role is implemented with measures; deterministic, without network access."""

from autosr_lib.heuristic.initializer import HeuristicInitializer
from autosr_lib.heuristic.judge import HeuristicJudge
from autosr_lib.heuristic.proposer import HeuristicProposer
from autosr_lib.heuristic.verifier import HeuristicVerifier
from autosr_lib.search.roles import Roles

__all__ = ["heuristic_roles"]


def heuristic_roles(seed: int, noise: float = 0.0) -> Roles:
    """Return roles that use only measures and word overlap.

    Args:
        seed: seed of the proposer's choices and the verifier's noise.
        noise: standard deviation, >= 0, of the Gaussian noise added to each grade that no measure gives; grades are
            0..1.
    """
    return Roles(
        initializer=HeuristicInitializer(),
        proposer=HeuristicProposer(seed),
        verifier=HeuristicVerifier(seed, noise),
        judge=HeuristicJudge(),
    )
