"""Searches of planted worlds."""

from dataclasses import dataclass, field

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import SearchSettings, Structure
from benchmarks.planted_roles import PlantedRoles
from benchmarks.planted_world import World
from tests.worlds import search_prompt

NO_HOLDOUT = HoldoutSettings(holdout_fraction=0)


@dataclass(frozen=True)
class Configuration:
    """A search configuration, with its name in tables and plots."""

    name: str
    settings: SearchSettings = field(default_factory=SearchSettings)
    structure: Structure = field(default_factory=Structure)
    holdout: HoldoutSettings = NO_HOLDOUT
    has_bank: bool = True
    """Whether calls are counted with the grade bank; otherwise the calls that the bank saved are added."""


async def search_world(world: World, roles: PlantedRoles, configuration: Configuration) -> tuple[Rubric, int]:
    """Return the rubric to use after the search of the world's prompt, and the requests of the search."""
    preferences = await gather_preferences(world.prompt, ReferenceSettings(), roles)
    prepared = PreparedPrompt.of(world.prompt, preferences, configuration.holdout, configuration.settings.objective)
    context = SearchContext(prepared, roles.roles(), configuration.settings, configuration.structure)
    state, conclusion = await search_prompt(context)
    saved = 0 if configuration.has_bank else state.calls.saved_by_bank
    return conclusion.rubric, roles.calls + saved
