"""Small planted prompts, and their searches with explicit values of all settings."""

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from autosr_lib.domain.prompt import Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.reference import PromptPreferences, gather_preferences
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.search.conclusion import Conclusion, conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.roles import Roles
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import Mode, SearchSettings, Structure
from autosr_lib.search.state import SearchState
from tests.fakes import FakeJudge, prompt_with

ALL_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "objective": {
        "pairs": "tail_weighted",
        "beta": 0.5,
        "tail_fraction": 0.25,
        "lambda_var": 0.2,
        "mu_diverse": 0.25,
        "pair_confidence_prior": 8.0,
        "tie_credit": 0.5,
        "tie_tolerance": 1e-8,
    },
    "grading": {
        "num_votes": 1,
        "finalist_votes": 2,
        "holdout_votes": 1,
        "aggregate": "mean",
        "grading": "pooled",
        "criteria_per_call": 10,
    },
    "initializer": {"initializer_strategy": "backend", "preset_strict": False, "initial_proposals": 2},
    "evolution": {
        "population_size": 6,
        "mutations_per_round": 3,
        "mutation_parent_count": 2,
        "elitism_count": 2,
        "free_modes": ("reweight", "prune", "crossover"),
        "racing": True,
        "max_criteria": 16,
        "finalists": 3,
        "refit_on_all": True,
    },
    "selection": {
        "selection_strategy": "rank",
        "tournament_size": 3,
        "tournament_p": 0.8,
        "top_k_ratio": 0.3,
        "diversity_weight": 0.3,
    },
    "mutation": {
        "adaptive_mutation": "fixed",
        "mutation_window_size": 10,
        "min_mutation_weight": 0.1,
        "exploration_phase_ratio": 0.3,
        "diversity_threshold": 0.05,
        "contrast": None,
        "contrast_pairs": 3,
    },
    "refinement": {"accept_only_if_improve": True},
    "probing": {"probing": "free", "probe_candidates": 2, "probe_margin": 0.05},
    "stop": {
        "max_generations": None,
        "stagnation_generations": 0,
        "stop_when_distinguished": False,
        "distinguish_margin": None,
        "max_calls_per_prompt": None,
    },
}


def search_settings(seed: int = 11, **changes: Mapping[str, Any]) -> SearchSettings:
    """Return settings that do not depend on defaults, with changes by section: `evolution={"racing": False}`."""
    values: dict[str, Any] = copy.deepcopy({name: dict(section) for name, section in ALL_SETTINGS.items()})
    for name, section in changes.items():
        values[name] |= section
    return SearchSettings(seed=seed, **values)


def planted_prompt(n: int = 10, kinds: int = 6, seed: int = 0, prompt_id: str = "p1") -> Prompt:
    """Return a prompt of `n` candidates with `kinds` random attributes, the last three of which determine the quality."""
    values = np.random.default_rng(seed).uniform(0, 1, (kinds, n))
    quality = np.array([0.5, 0.3, 0.2])[-min(3, kinds) :] @ values[-3:]
    return prompt_with(quality.tolist(), prompt_id, **{f"a{i}": row.tolist() for i, row in enumerate(values)})


def preferences_of(prompt: Prompt, settings: ReferenceSettings | None = None) -> PromptPreferences:
    """Return the prompt's preferences, by its labels or an unbiased fake judge."""
    return asyncio.run(gather_preferences(prompt, settings or ReferenceSettings(), FakeJudge()))


def context_of(
    prompt: Prompt,
    roles: Roles,
    settings: SearchSettings | None = None,
    *,
    generations: int = 3,
    mode: Mode = Mode.EVOLUTIONARY,
    holdout: float = 0.25,
) -> SearchContext:
    """Return the context of the search of a prompt."""
    settings = settings or search_settings()
    holdout_settings = HoldoutSettings(holdout_fraction=holdout, holdout_seed=7)
    prepared = PreparedPrompt.of(prompt, preferences_of(prompt), holdout_settings, settings.objective)
    return SearchContext(prepared, roles, settings, Structure(mode=mode, generations=generations))


async def search_states(context: SearchContext, presets: Mapping[str, Rubric] | None = None) -> list[SearchState]:
    """Return the states after generation 0, 1, … of the search of a prompt."""
    states = [await start_search(context, presets)]
    for _ in range(context.structure.generations):
        states.append(await advance_search(context, states[-1]))
    return states


def states_of(context: SearchContext) -> list[SearchState]:
    """Return the states after generation 0, 1, … of the search of a prompt; for synchronous tests."""
    return asyncio.run(search_states(context))


async def search_prompt(
    context: SearchContext, presets: Mapping[str, Rubric] | None = None
) -> tuple[SearchState, Conclusion]:
    """Return the last state of the search of a prompt, and its conclusion."""
    state = (await search_states(context, presets))[-1]
    return state, await conclude_search(context, state)


def run(context: SearchContext, presets: Mapping[str, Rubric] | None = None) -> tuple[SearchState, Conclusion]:
    """Return the last state of the search of a prompt, and its conclusion; for synchronous tests."""
    return asyncio.run(search_prompt(context, presets))
