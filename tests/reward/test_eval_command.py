"""The command `autosr eval`: what rubrics are worth, and that what the search saw never flatters."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reward.searched import DEMO, Searched


def evaluated(home: Searched, dataset: Path, *options: str) -> Any:
    said = home.autosr("eval", str(home.path), str(dataset), "--json", *options)
    assert said.code == 0, said.err
    return json.loads(said.out)


def relabelled(folder: Path, home: Searched, change: str) -> Path:
    """Write a dataset of new responses, ranked as the rubrics score them or the other way round."""
    content = json.loads(DEMO.read_text())
    scores = {entry["prompt_id"]: entry["candidate_scores"] for entry in home.said()["best_rubrics"]}
    for prompt in content["prompts"]:
        known = scores[prompt["prompt_id"]]
        ordered = sorted(known, key=lambda name: known[name], reverse=change == "right")
        for candidate in prompt["candidates"]:
            candidate["metadata"] = {"rank": ordered.index(candidate["candidate_id"]) + 1}
            candidate["candidate_id"] = f"new-{candidate['candidate_id']}"
    path = folder / f"{change}.json"
    path.write_text(json.dumps(content))
    return path


def test_the_rubric_to_use_has_seen_its_whole_dataset_and_is_told_so(offline: Searched) -> None:
    found = evaluated(offline, DEMO)
    table = offline.autosr("eval", str(offline.path), str(DEMO)).out

    assert set(found["by_seen"]) == {"both"}
    assert "no pair is unseen" in table
    assert "--which measured_rubric" in table


def test_the_measured_rubric_is_measured_on_pairs_by_what_the_search_saw_of_them(offline: Searched) -> None:
    export = offline.said()
    found = evaluated(offline, DEMO, "--which", "measured_rubric")

    touching = export["holdout_accuracy"]["pairs_touching_hidden"]
    one, neither = found["by_seen"]["one"], found["by_seen"].get("neither", {"pairs": 0, "pair_accuracy": [0.0]})
    pairs = one["pairs"] + neither["pairs"]
    earned = one["pairs"] * one["pair_accuracy"][0] + neither["pairs"] * neither["pair_accuracy"][0]
    assert pairs == touching["pairs"]
    assert earned / pairs == pytest.approx(touching["best"]["value"])
    assert found["by_seen"]["both"]["pairs"] > 0


@pytest.mark.parametrize(("change", "accuracy"), [("right", 1.0), ("wrong", 0.0)])
def test_new_responses_are_unseen_and_judged_by_their_labels(
    change: str, accuracy: float, offline: Searched, tmp_path: Path
) -> None:
    found = evaluated(offline, relabelled(tmp_path, offline, change))

    assert set(found["by_seen"]) == {"neither"}
    assert found["by_seen"]["neither"]["pair_accuracy"] == [accuracy, accuracy, accuracy]
    assert found["by_seen"]["neither"]["tail_accuracy"] == [accuracy, accuracy, accuracy]
    assert found["by_source"]
    assert found["unscored"] == 0


def test_each_criterion_has_its_figures(by_model: Searched) -> None:
    found = evaluated(by_model, DEMO, "--votes", "2")

    rubrics = {entry["prompt_id"]: entry["rubric"]["criteria"] for entry in by_model.said()["best_rubrics"]}
    assert len(found["criteria"]) == sum(map(len, rubrics.values()))
    for one in found["criteria"]:
        assert one["coverage"] == 1
        assert 0 <= one["discrimination"] <= 1
        assert one["agreement"] == 1  # the scripted model answers every vote alike
        assert one["redundancy"] is None or 0 <= one["redundancy"] <= 1 + 1e-9


def test_prompts_without_a_rubric_or_labels_are_left_out_and_named(offline: Searched, tmp_path: Path) -> None:
    content = json.loads(DEMO.read_text())
    for candidate in content["prompts"][0]["candidates"]:
        candidate["metadata"] = {}
    content["prompts"][1]["prompt_id"] = "nobody"
    path = tmp_path / "some.json"
    path.write_text(json.dumps(content))

    found = evaluated(offline, path)

    assert found["without_rubric"] == ["nobody"]
    assert found["without_labels"] == [content["prompts"][0]["prompt_id"]]


def test_the_html_says_the_same_fetches_nothing_and_lets_no_text_act(offline: Searched, tmp_path: Path) -> None:
    content = json.loads(DEMO.read_text())
    content["prompts"][0]["candidates"][0]["source"] = "<script>alert(1)</script>"
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))

    said = offline.autosr("eval", str(offline.path), str(path), "--html", str(tmp_path / "x.html"))

    html = (tmp_path / "x.html").read_text()
    assert said.code == 0, said.err
    assert "seen: it saw both, and may only remember" in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")
