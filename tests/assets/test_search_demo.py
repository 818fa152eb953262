"""`autosr search` on the demo dataset: output, export, a second run, and `autosr show`."""

import json
import re
from pathlib import Path

import dagster as dg
import pytest

from tests.assets.commands import CommandResult, Home

DEMO = Path(__file__).parents[2] / "examples" / "demo_dataset.json"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, CommandResult]:
    """Return a home in which the demo dataset was searched, and the result of the command."""
    home = Home(tmp_path_factory.mktemp("demo"))
    return home, home.autosr("search", str(DEMO))


def test_the_demo_prints_rubrics_scores_figures_and_the_locations_of_its_output(
    demo: tuple[Home, CommandResult],
) -> None:
    home, result = demo

    assert result.code == 0
    for prompt in json.loads(DEMO.read_text())["prompts"]:
        assert prompt["prompt_id"] in result.out
        assert all(candidate["candidate_id"] in result.out for candidate in prompt["candidates"])
    assert re.search(r"held-out accuracy\s+initial [\d.]+% \[[\d.]+%, [\d.]+%\], best [\d.]+% \[", result.out)
    assert str(home.root / "exports" / "demo_dataset.json") in result.out
    assert str(home.root / "storage" / "demo_dataset") in result.out


def test_a_new_file_is_read_and_searched_in_one_run(demo: tuple[Home, CommandResult]) -> None:
    home, _ = demo

    with home.dagster() as dagster:
        events = [
            dagster.get_latest_materialization_event(dg.AssetKey(["demo_dataset", asset]))
            for asset in ("dataset", "preferences", "best_rubrics")
        ]

    assert len({event.run_id for event in events if event is not None}) == 1
    assert None not in events


def test_its_export_has_every_field_of_the_seed_format(demo: tuple[Home, CommandResult]) -> None:
    export = demo[0].export("demo_dataset")
    ids = [prompt["prompt_id"] for prompt in json.loads(DEMO.read_text())["prompts"]]

    assert [entry["prompt_id"] for entry in export["best_rubrics"]] == ids
    for entry in export["best_rubrics"]:
        assert {"rubric", "best_candidate_id", "candidate_scores"} <= set(entry)
        assert {"criterion_id", "text", "weight"} <= set(entry["rubric"]["criteria"][0])
        assert entry["best_candidate_id"] == max(entry["candidate_scores"], key=entry["candidate_scores"].get)
    assert list(export["best_objective_scores"]) == list(export["best_scores"]) == ids
    assert {"run_id", "seed", "settings", "backend"} <= set(export["run_manifest"])


def test_running_it_again_changes_no_file_and_reports_this(demo: tuple[Home, CommandResult]) -> None:
    home, first = demo
    before = home.files()

    again = home.autosr("search", str(DEMO))

    assert home.files() == before
    assert again.code == 0
    assert "All 3 prompts of demo_dataset are up to date." in again.out
    assert first.out in again.out


def test_another_output_is_written_without_searching_again(demo: tuple[Home, CommandResult], tmp_path: Path) -> None:
    home, _ = demo

    def searched() -> dict[str, tuple[int, bytes]]:
        records = ("rubric_export", "storage/runs/")  # written by the export
        return {name: content for name, content in home.files().items() if not any(part in name for part in records)}

    before = searched()

    result = home.autosr("search", str(DEMO), "--output", str(tmp_path / "other.json"))

    assert result.code == 0
    assert json.loads((tmp_path / "other.json").read_text())["best_rubrics"]
    assert searched() == before


def test_show_prints_the_lineage_of_a_prompt_and_suggests_similar_ids_for_an_unknown_one(
    demo: tuple[Home, CommandResult],
) -> None:
    home, _ = demo

    shown, unknown = home.autosr("show", "moon-shape"), home.autosr("show", "moonshape")

    assert shown.code == 0
    assert "initial in generation 0" in shown.out
    assert "moon-shape-4" in shown.out
    assert unknown.code == 2
    assert unknown.err == "autosr: prompt 'moonshape' is in no stored search; did you mean 'moon-shape'?\n"
