"""The command `autosr eval`: measures how well rubrics order labelled responses, and separates pairs that the search saw."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.reward.searched_home import DEMO, SearchedHome


def evaluate(home: SearchedHome, dataset: Path, *options: str) -> Any:
    """Return the JSON that `autosr eval` prints."""
    result = home.autosr_on_export("eval", dataset, "--json", *options)
    assert result.code == 0, result.err
    return json.loads(result.out)


def write_new_responses(folder: Path, home: SearchedHome, order: Literal["by score", "reversed"]) -> Path:
    """Write the demo with new candidate ids, ranked as the rubrics score the candidates or in reverse order."""
    content = json.loads(DEMO.read_text())
    scores = {entry["prompt_id"]: entry["candidate_scores"] for entry in home.read_export()["best_rubrics"]}
    for prompt in content["prompts"]:
        candidate_scores = scores[prompt["prompt_id"]]
        ordered = sorted(candidate_scores, key=lambda name: candidate_scores[name], reverse=order == "by score")
        for candidate in prompt["candidates"]:
            candidate["metadata"] = {"rank": ordered.index(candidate["candidate_id"]) + 1}
            candidate["candidate_id"] = f"new-{candidate['candidate_id']}"
    path = folder / "new_responses.json"
    path.write_text(json.dumps(content))
    return path


def test_the_rubric_to_use_has_seen_all_pairs_of_its_dataset_and_the_table_says_so(offline_home: SearchedHome) -> None:
    evaluation = evaluate(offline_home, DEMO)
    table = offline_home.autosr_on_export("eval", DEMO).out

    assert set(evaluation["by_seen"]) == {"both"}
    assert "no pair is unseen" in table
    assert "--which measured_rubric" in table


def test_the_accuracy_of_the_measured_rubric_on_hidden_candidates_is_that_of_the_export(
    offline_home: SearchedHome,
) -> None:
    export = offline_home.read_export()
    evaluation = evaluate(offline_home, DEMO, "--which", "measured_rubric")

    touching = export["holdout_accuracy"]["pairs_touching_hidden"]
    by_seen = evaluation["by_seen"]
    one, neither = by_seen["one"], by_seen.get("neither", {"pairs": 0, "pair_accuracy": [0.0]})
    pairs = one["pairs"] + neither["pairs"]
    credit = one["pairs"] * one["pair_accuracy"][0] + neither["pairs"] * neither["pair_accuracy"][0]
    assert pairs == touching["pairs"]
    assert credit / pairs == pytest.approx(touching["best"]["value"])
    assert by_seen["both"]["pairs"] > 0


@pytest.mark.parametrize(("order", "accuracy"), [("by score", 1.0), ("reversed", 0.0)])
def test_pairs_of_new_responses_are_unseen_and_their_accuracy_follows_the_labels(
    order: Literal["by score", "reversed"], accuracy: float, offline_home: SearchedHome, tmp_path: Path
) -> None:
    evaluation = evaluate(offline_home, write_new_responses(tmp_path, offline_home, order))

    assert set(evaluation["by_seen"]) == {"neither"}
    assert evaluation["by_seen"]["neither"]["pair_accuracy"] == [accuracy, accuracy, accuracy]
    assert evaluation["by_seen"]["neither"]["tail_accuracy"] == [accuracy, accuracy, accuracy]
    assert evaluation["by_source"]
    assert evaluation["unscored"] == 0


def test_each_criterion_has_its_figures(model_home: SearchedHome) -> None:
    evaluation = evaluate(model_home, DEMO, "--votes", "2")

    rubrics = [entry["rubric"]["criteria"] for entry in model_home.read_export()["best_rubrics"]]
    assert len(evaluation["criteria"]) == sum(map(len, rubrics))
    for figures in evaluation["criteria"]:
        assert figures["coverage"] == 1
        assert 0 <= figures["discrimination"] <= 1
        assert figures["agreement"] == 1  # the scripted model grades every vote alike
        assert figures["redundancy"] is None or 0 <= figures["redundancy"] <= 1 + 1e-9


def test_prompts_without_a_rubric_or_labels_are_left_out_and_named(offline_home: SearchedHome, tmp_path: Path) -> None:
    content = json.loads(DEMO.read_text())
    for candidate in content["prompts"][0]["candidates"]:
        candidate["metadata"] = {}
    content["prompts"][1]["prompt_id"] = "unknown"
    path = tmp_path / "incomplete.json"
    path.write_text(json.dumps(content))

    evaluation = evaluate(offline_home, path)

    assert evaluation["without_rubric"] == ["unknown"]
    assert evaluation["without_labels"] == [content["prompts"][0]["prompt_id"]]


def test_the_html_report_loads_nothing_and_escapes_texts(offline_home: SearchedHome, tmp_path: Path) -> None:
    content = json.loads(DEMO.read_text())
    content["prompts"][0]["candidates"][0]["source"] = "<script>alert(1)</script>"
    dataset, report = tmp_path / "dataset.json", tmp_path / "report.html"
    dataset.write_text(json.dumps(content))

    result = offline_home.autosr_on_export("eval", dataset, "--html", report)

    html = report.read_text()
    assert result.code == 0, result.err
    assert "seen: it saw both, and may only remember" in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")
