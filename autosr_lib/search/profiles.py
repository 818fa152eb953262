"""Profiles: settings that belong together, under one name."""

from collections.abc import Mapping
from typing import Any

from autosr_lib.errors import SettingsError

ORIGINAL: Mapping[str, Any] = {
    "generations": 12,
    "objective": {"pairs": "rubric_tail", "tie_credit": 0.0},
    "grading": {"num_votes": 3, "finalist_votes": 0, "grading": "per_rubric"},
    "initializer": {"initial_proposals": 7},
    "evolution": {
        "population_size": 8,
        "mutations_per_round": 6,
        "mutation_parent_count": 3,
        "batch_size": 3,
        "elitism_count": 2,
        "free_modes": [],
        "racing": False,
        "refit_on_all": False,
        "finalists": 1,
    },
    "mutation": {"contrast": "rtd"},
    "stop": {"stop_when_distinguished": True, "stagnation_generations": 6},
}
"""The original system's settings, as far as they exist here (METHOD §8): to compare with it, not to use."""

PROFILES: Mapping[str, Mapping[str, Any]] = {"default": {}, "original": ORIGINAL}


def profile(name: str) -> Mapping[str, Any]:
    """Return the settings of a profile, nested; `generations` among them belongs to the search's structure.

    Raises:
        SettingsError: there is no such profile.
    """
    if name not in PROFILES:
        raise SettingsError(f"profile is {name!r}; allowed: {', '.join(map(repr, PROFILES))}")
    return PROFILES[name]
