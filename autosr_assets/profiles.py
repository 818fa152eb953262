"""Sets of defaults, chosen by `--profile`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Profile(StrEnum):
    """Defaults that are not the usual ones."""

    ORIGINAL = "original"


# METHOD §8, "From the original", as far as these settings exist here.
_ORIGINAL: Mapping[str, Any] = {
    "generations": 12,
    "seed": 7,
    "objective.tail_fraction": 0.25,
    "objective.lambda_var": 0.2,
    "objective.mu_diverse": 0.25,
    "objective.pair_confidence_prior": 8,
    "objective.tie_tolerance": 1e-8,
    "grading.num_votes": 3,
    "evolution.population_size": 8,
    "evolution.mutations_per_round": 6,
    "evolution.mutation_parent_count": 3,
    "evolution.batch_size": 3,
    "evolution.elitism_count": 2,
    "selection.tournament_size": 3,
    "selection.tournament_p": 0.8,
    "selection.top_k_ratio": 0.3,
    "selection.diversity_weight": 0.3,
    "mutation.mutation_window_size": 10,
    "mutation.min_mutation_weight": 0.1,
    "mutation.exploration_phase_ratio": 0.3,
    "mutation.diversity_threshold": 0.05,
    "stop.stagnation_generations": 6,
}
_ITERATIONS = 6


def profile_settings(profile: Profile, mode: str) -> dict[str, Any]:
    """Return the defaults of a profile by dotted name; in mode `iterative` generations are rounds."""
    assert profile is Profile.ORIGINAL  # noqa: S101 - the only one
    return {**_ORIGINAL, "generations": _ITERATIONS if mode == "iterative" else _ORIGINAL["generations"]}
