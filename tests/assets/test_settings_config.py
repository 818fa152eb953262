"""A run may override any setting; what it does not name comes from the YAML."""

from typing import Any

import dagster as dg
import pytest

from autosr_assets.components import RubricSearch
from autosr_assets.components.settings_config import config_schema, override_config, settings_resource
from autosr_lib.errors import SettingsError
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.settings import EvolutionSettings, SearchSettings

YAML = SearchSettings(evolution=EvolutionSettings(population_size=5))


def settings_of_run(config: dict[str, Any], **more: Any) -> SearchSettings:
    """Return the settings that an asset sees, or raise what the run raised before any step."""
    seen: list[SearchSettings] = []

    @dg.asset(required_resource_keys={"settings"})
    def asset(context: dg.AssetExecutionContext) -> None:
        seen.append(context.resources.settings)

    defs = dg.Definitions([asset], resources={"settings": settings_resource(YAML, "Of a test.", **more)})
    defs.resolve_implicit_global_asset_job_def().execute_in_process(
        run_config={"resources": {"settings": {"config": config}}}
    )
    return seen[0]


def test_without_overrides_a_run_has_the_settings_of_the_yaml() -> None:
    assert settings_of_run({}) == YAML


def test_an_override_of_one_field_keeps_the_others_of_its_group() -> None:
    config = {"evolution": {"free_modes": ["prune"]}, "grading": {"scale": "0-1"}, "stop": {"max_generations": None}}

    settings = settings_of_run(config)

    assert settings.evolution == EvolutionSettings(population_size=5, free_modes=(MutationMode.PRUNE,))
    assert settings.grading.scale == "0-1"


def test_flat_overrides_of_the_command_line_become_config() -> None:
    overrides = {"tournament_size": 4, "free_modes": (MutationMode.PRUNE,), "batch_size": 1}

    settings = settings_of_run(override_config(YAML, overrides))

    assert (settings.selection.tournament_size, settings.evolution.free_modes) == (4, (MutationMode.PRUNE,))


def test_an_impossible_value_ends_the_run_before_any_work() -> None:
    with pytest.raises(dg.DagsterResourceFunctionError) as caught:
        settings_of_run({"evolution": {"population_size": 0}})

    assert isinstance(caught.value.__cause__, SettingsError)
    assert str(caught.value.__cause__) == "evolution.population_size is 0; must be greater than or equal to 1"


def test_dagster_itself_refuses_unknown_names_and_choices() -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match='unexpected config entry "populaton_size"'):
        settings_of_run({"evolution": {"populaton_size": 3}})
    with pytest.raises(dg.DagsterInvalidConfigError, match="not in enum type SelectionStrategy"):
        settings_of_run({"selection": {"selection_strategy": "best"}})


def test_a_run_may_not_ask_for_more_generations_than_there_are_assets() -> None:
    search = RubricSearch(dataset="demo", generations=4)

    with pytest.raises(dg.DagsterResourceFunctionError) as caught:
        settings_of_run({"stop": {"max_generations": 5}}, check=search.check_settings)

    assert "stop.max_generations is 5; must be at most 4" in str(caught.value.__cause__)


def test_the_launchpad_says_what_each_setting_is_and_may_be() -> None:
    evolution: Any = config_schema(SearchSettings, YAML)["evolution"].config_type
    field = evolution.fields["population_size"]

    assert (
        field.description
        == "Number of individuals that survive a generation. Allowed: at least 1, at most 1000. Here: 5."
    )
    assert not field.is_required


def test_every_settings_model_has_a_schema() -> None:
    assert set(config_schema(LlmSettings, LlmSettings())) == set(LlmSettings.model_fields)
