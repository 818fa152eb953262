"""Preset rubrics are read from files and from earlier exports."""

import json
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import SettingsError
from autosr_lib.search.settings import InitializerSettings, InitializerStrategy
from autosr_lib.storage.presets import read_presets

CRITERION: dict[str, Any] = {"criterion_id": "c1", "text": "It answers the question.", "weight": 2}


def presets_from(path: Path | None) -> InitializerSettings:
    return InitializerSettings(
        initializer_strategy=InitializerStrategy.PRESET, preset_rubrics=None if path is None else str(path)
    )


def write_presets(folder: Path, content: Any) -> Path:
    path = folder / "presets.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_without_the_strategy_no_file_is_read() -> None:
    settings = InitializerSettings(preset_rubrics="/no/such/file.json")

    assert read_presets(settings) == {}


def test_rubrics_are_read_by_prompt_id_with_or_without_the_key_criteria(tmp_path: Path) -> None:
    path = write_presets(tmp_path, {"p1": {"criteria": [CRITERION]}, "__default__": [CRITERION]})

    rubrics = read_presets(presets_from(path))

    assert {name: rubric.criteria[0].text for name, rubric in rubrics.items()} == {
        "p1": CRITERION["text"],
        "__default__": CRITERION["text"],
    }


def test_an_earlier_export_can_be_a_preset(tmp_path: Path) -> None:
    output = {"best_rubrics": [{"prompt_id": "p1", "rubric": {"criteria": [CRITERION]}, "best_candidate_id": "c"}]}

    rubrics = read_presets(presets_from(write_presets(tmp_path, output)))

    assert rubrics["p1"].criteria[0].criterion_id == "c1"


def test_a_grading_protocol_in_a_rubric_is_ignored(tmp_path: Path) -> None:
    rubric = {"criteria": [{**CRITERION, "grading_protocol": {"num_votes": 99}}], "grading_protocol": {"scale": 100}}

    rubrics = read_presets(presets_from(write_presets(tmp_path, {"p1": rubric})))

    assert rubrics["p1"] == Rubric(criteria=(Criterion(**CRITERION),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "presets.json"),
        ("[1]", "a list of 1 is not rubrics"),
        ({"p1": 3}, "p1: 3 is not a rubric"),
        ({"p1": {"criteria": []}}, "p1.criteria"),
        ({"p1": {"criteria": [{"criterion_id": "", "text": "x"}]}}, "p1.criteria[0].criterion_id"),
        ({"p1": {"criteria": [{**CRITERION, "weight": -1}]}}, "p1.criteria[0].weight"),
        ({"p1": {"criteria": [{**CRITERION, "measure": "goodness"}]}}, "goodness"),
        ({"p1": {"criteria": [CRITERION, CRITERION]}}, "repeat"),
    ],
)
def test_a_value_that_is_not_a_rubric_is_refused_with_its_location(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_presets(presets_from(write_presets(tmp_path, content)))

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [None, Path("/no/such/file.json")])
def test_a_strategy_without_a_file_is_refused(path: Path | None) -> None:
    with pytest.raises(SettingsError, match="preset_rubrics"):
        read_presets(presets_from(path))
