"""Rubrics in the file formats of other graders."""

import json
from pathlib import Path

import pytest

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.reward.search_export import RubricChoice, read_export
from autosr_lib.reward.shapes import Shape, criterion_text, verifiers_criteria, write_shape
from tests.reward.searched_home import SearchedHome


def test_points_are_integers_from_one_to_ten_and_every_prompt_is_written(
    model_home: SearchedHome, tmp_path: Path
) -> None:
    export = read_export(model_home.export_path)

    count = write_shape(export, RubricChoice.RUBRIC, Shape.POINTS, tmp_path / "points.jsonl")

    lines = [json.loads(line) for line in (tmp_path / "points.jsonl").read_text().splitlines()]
    assert [line["prompt_id"] for line in lines] == list(export.entries)
    assert count == len(lines)
    for line in lines:
        entry = export.entries[line["prompt_id"]]
        texts = [item["criterion"].splitlines()[0] for item in line["rubrics"]]
        points = [item["points"] for item in line["rubrics"]]
        assert line["prompt"] == [{"role": "user", "content": entry.prompt}]
        assert texts == [criterion.text for criterion in entry.rubric.criteria]
        assert max(points) == 10
        assert min(points) >= 1
        assert all(isinstance(value, int) for value in points)


def test_the_text_of_a_criterion_includes_check_points_and_examples() -> None:
    criterion = Criterion(
        criterion_id="a",
        text="Is clear.",
        check_points=("names it",),
        positive_examples=("x",),
        negative_examples=("y",),
    )

    assert criterion_text(criterion) == "Is clear.\nCheck: names it\nGood: x\nBad: y"


def test_verifiers_reads_one_file_per_prompt_and_its_weights_sum_to_one(
    model_home: SearchedHome, tmp_path: Path
) -> None:
    export = read_export(model_home.export_path)

    count = write_shape(export, RubricChoice.MEASURED, Shape.VERIFIERS, tmp_path)

    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == count == len(export.entries)
    for file in files:
        criteria = json.loads(file.read_text())["criteria"]
        assert sum(criterion["weight"] for criterion in criteria) == pytest.approx(1)
        assert all(len(criterion["choices"]) == 6 for criterion in criteria)


@pytest.mark.slow
def test_the_real_verifiers_reads_the_files(model_home: SearchedHome, tmp_path: Path) -> None:
    rubric_judge = pytest.importorskip("verifiers.v1.judges.rubric")
    export = read_export(model_home.export_path)
    write_shape(export, RubricChoice.RUBRIC, Shape.VERIFIERS, tmp_path)

    loaded = {file.stem: rubric_judge.load_criteria(file) for file in tmp_path.glob("*.json")}

    assert len(loaded) == len(export.entries)
    for prompt_id, criteria in loaded.items():
        weights = export.entries[prompt_id].rubric.weights
        assert [criterion.weight for criterion in criteria] == pytest.approx(weights)


def test_a_single_criterion_has_weight_one() -> None:
    rubric = Rubric(criteria=(Criterion(criterion_id="a", text="Is clear."),))

    assert [criterion["weight"] for criterion in verifiers_criteria(rubric)] == [1.0]
