"""Rubrics in the shapes that others read."""

import json
from pathlib import Path

import pytest

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.reward.search_export import RubricChoice, read_export
from autosr_lib.reward.shapes import Shape, criterion_text, verifiers_criteria, write_shape
from tests.reward.searched import Searched


def test_points_are_whole_the_heaviest_is_ten_and_nobody_is_lost(by_model: Searched, tmp_path: Path) -> None:
    exported = read_export(by_model.path)

    count = write_shape(exported, RubricChoice.RUBRIC, Shape.POINTS, tmp_path / "points.jsonl")

    lines = [json.loads(line) for line in (tmp_path / "points.jsonl").read_text().splitlines()]
    assert [line["prompt_id"] for line in lines] == list(exported.entries)
    assert count == len(lines)
    for line in lines:
        entry = exported.entries[line["prompt_id"]]
        assert line["prompt"] == [{"role": "user", "content": entry.prompt}]
        assert [one["criterion"].splitlines()[0] for one in line["rubrics"]] == [c.text for c in entry.rubric.criteria]
        points = [one["points"] for one in line["rubrics"]]
        assert max(points) == 10
        assert min(points) >= 1
        assert all(isinstance(one, int) for one in points)


def test_a_criterion_is_told_whole() -> None:
    criterion = Criterion(
        criterion_id="a",
        text="Is clear.",
        check_points=("names it",),
        positive_examples=("x",),
        negative_examples=("y",),
    )

    assert criterion_text(criterion) == "Is clear.\nCheck: names it\nGood: x\nBad: y"


def test_verifiers_gets_a_file_a_prompt_whose_weights_sum_to_one(by_model: Searched, tmp_path: Path) -> None:
    exported = read_export(by_model.path)

    count = write_shape(exported, RubricChoice.MEASURED, Shape.VERIFIERS, tmp_path)

    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == count == len(exported.entries)
    for file in files:
        criteria = json.loads(file.read_text())["criteria"]
        assert sum(one["weight"] for one in criteria) == pytest.approx(1)
        assert all(len(one["choices"]) == 6 for one in criteria)


@pytest.mark.slow
def test_the_real_verifiers_reads_the_files(by_model: Searched, tmp_path: Path) -> None:
    rubric_judge = pytest.importorskip("verifiers.v1.judges.rubric")
    exported = read_export(by_model.path)
    write_shape(exported, RubricChoice.RUBRIC, Shape.VERIFIERS, tmp_path)

    read = {file.stem: rubric_judge.load_criteria(file) for file in tmp_path.glob("*.json")}

    assert len(read) == len(exported.entries)
    for prompt_id, criteria in read.items():
        assert [one.weight for one in criteria] == pytest.approx(exported.entries[prompt_id].rubric.weights)


def test_a_rubric_of_one_criterion_has_one() -> None:
    rubric = Rubric(criteria=(Criterion(criterion_id="a", text="Is clear."),))

    assert [one["weight"] for one in verifiers_criteria(rubric)] == [1.0]
