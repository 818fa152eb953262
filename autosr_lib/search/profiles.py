"""Profiles: named sets of settings."""

from collections.abc import Mapping
from typing import Any

from autosr_lib.errors import SettingsError
from autosr_lib.search.settings import Mode

ORIGINAL: Mapping[str, Any] = {
    "generations": 12,
    "seed": 7,
    "objective.pairs": "rubric_tail",
    "objective.tail_fraction": 0.25,
    "objective.lambda_var": 0.2,
    "objective.mu_diverse": 0.25,
    "objective.pair_confidence_prior": 8.0,
    "objective.tie_credit": 0.0,
    "objective.tie_tolerance": 1e-8,
    "grading.num_votes": 3,
    "grading.finalist_votes": 0,
    "grading.grading": "per_rubric",
    "initializer.initial_proposals": 7,
    "evolution.population_size": 8,
    "evolution.mutations_per_round": 6,
    "evolution.mutation_parent_count": 3,
    "evolution.batch_size": 3,
    "evolution.elitism_count": 2,
    "evolution.free_modes": (),
    "evolution.racing": False,
    "evolution.finalists": 1,
    "evolution.refit_on_all": False,
    "selection.tournament_size": 3,
    "selection.tournament_p": 0.8,
    "selection.top_k_ratio": 0.3,
    "selection.diversity_weight": 0.3,
    "mutation.contrast": "rtd",
    "mutation.mutation_window_size": 10,
    "mutation.min_mutation_weight": 0.1,
    "mutation.exploration_phase_ratio": 0.3,
    "mutation.diversity_threshold": 0.05,
    "stop.stagnation_generations": 6,
    "stop.stop_when_distinguished": True,
}
"""The settings of the original system, as far as they exist here (docs/method.md §8), for comparison with it."""
ORIGINAL_ITERATIONS = 6
"""Generations of the original system in mode `iterative`."""

PROFILES: Mapping[str, Mapping[str, Any]] = {"default": {}, "original": ORIGINAL}


def profile_settings(name: str, mode: Mode = Mode.EVOLUTIONARY) -> dict[str, Any]:
    """Return the settings of a profile by dotted name; `generations` is part of the search's structure.

    >>> profile_settings("original", Mode.ITERATIVE)["generations"]
    6

    Raises:
        SettingsError: there is no such profile.
    """
    if name not in PROFILES:
        raise SettingsError(f"profile is {name!r}; allowed: {', '.join(map(repr, PROFILES))}")
    settings = dict(PROFILES[name])
    if name == "original" and mode is Mode.ITERATIVE:
        settings["generations"] = ORIGINAL_ITERATIONS
    return settings
