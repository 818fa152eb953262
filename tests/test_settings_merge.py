"""Settings from several sources are merged, and errors name each invalid setting on one line."""

from typing import Any

import pytest

from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.settings import Grading, Scale
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.search.settings import EvolutionSettings, SearchSettings
from autosr_lib.settings_fields import leaves
from autosr_lib.settings_merge import flat_names, merge_settings, validate_settings

BASE = SearchSettings(evolution=EvolutionSettings(population_size=5))


def test_an_override_changes_only_the_settings_that_it_names() -> None:
    merged = merge_settings(BASE, {"evolution": {"racing": False}})

    assert merged.evolution == BASE.evolution.model_copy(update={"racing": False})
    assert merged.selection == BASE.selection


def test_flat_and_nested_names_are_equivalent() -> None:
    flat = merge_settings(BASE, {"tournament_size": 4, "scale": "0-1", "grading": "per_rubric"})
    nested = merge_settings(
        BASE, {"selection": {"tournament_size": 4}, "grading": {"scale": "0-1", "grading": "per_rubric"}}
    )

    assert flat == nested
    assert (flat.grading.scale, flat.grading.grading) == (Scale.UNIT, Grading.PER_RUBRIC)


def test_no_overrides_and_empty_groups_change_nothing() -> None:
    assert merge_settings(BASE, {}) == BASE
    assert merge_settings(BASE, {"evolution": None, "selection": {}}) == BASE


def test_every_setting_has_a_flat_name_and_a_description() -> None:
    for model in (SearchSettings, LlmSettings):
        dotted = dict(leaves(model))
        assert all(field.description for field in dotted.values())
    assert set(flat_names(SearchSettings).values()) == {name for name, _ in leaves(SearchSettings)}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"population_size": 0}, "evolution.population_size is 0; must be greater than or equal to 1"),
        (
            {"evolution": {"populaton_size": 1}},
            "evolution.populaton_size is not a setting; did you mean evolution.popu",
        ),
        ({"zzz": 1}, "zzz is not a setting; allowed are seed, objective, grading"),
        (
            {"selection_strategy": "best"},
            "selection.selection_strategy is 'best'; must be 'rank', 'tournament', 'top_k'",
        ),
        ({"evolution": 3}, "evolution is 3; must be an object"),
        ({"seed": 1, "population_size": 1, "evolution": {"population_size": 3}}, "population_size is given twice"),
        ({"seed": float("nan")}, "seed is nan; must be a"),
    ],
)
def test_an_error_names_the_setting_its_value_and_what_is_allowed(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        merge_settings(BASE, overrides)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_error_names_all_invalid_settings() -> None:
    with pytest.raises(SettingsError, match=r"seed is -1; .*; evolution.population_size is 0; "):
        validate_settings(SearchSettings, {"evolution": {"population_size": 0}, "seed": -1})


def test_a_value_that_may_contain_a_secret_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        merge_settings(LlmSettings(), {"base_url": "https://user:hunter2@host/v1", "llm_timeout": "hunter2"})

    assert "llm_timeout" in str(caught.value)
    assert "hunter2" not in str(caught.value)
