"""Recorded runs are listed, shown and compared."""

import json
from pathlib import Path

import pytest

from tests.assets.commands import Home, planted, write_prompts

SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--generations", "1", "--name", "calls")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with two runs of a search, the second with another seed and an additional prompt."""
    folder = tmp_path_factory.mktemp("runs")
    home = Home(folder / "home")
    path = folder / "calls.json"
    write_prompts(path, planted("a", "b"))
    assert home.autosr("search", str(path), *SMALL).code == 0
    write_prompts(path, planted("a", "b", "c"))
    assert home.autosr("search", str(path), *SMALL, "--seed", "8").code == 0
    return home


def test_runs_are_listed_the_latest_first(home: Home) -> None:
    manifests = json.loads(home.autosr("runs", "list", "--json").out)
    lines = home.autosr("runs", "list").out.splitlines()

    assert [run["seed"] for run in manifests] == [8, 7]
    assert [line.split()[0] for line in lines[1:]] == [run["run_id"][:8] for run in manifests]
    assert [run["totals"]["prompts"] for run in manifests] == [3, 2]


def test_a_run_is_shown_by_its_id_its_beginning_or_its_search(home: Home) -> None:
    latest, earlier = json.loads(home.autosr("runs", "list", "--json").out)

    by_search = home.autosr("runs", "show", "calls").out
    by_number = json.loads(home.autosr("runs", "show", "calls~1", "--json").out)
    by_beginning = json.loads(home.autosr("runs", "show", earlier["run_id"][:6], "--json").out)

    assert latest["run_id"] in by_search
    assert "seed: 8" in by_search
    assert by_number == by_beginning == earlier


def test_the_difference_between_two_runs_lists_settings_and_results(home: Home) -> None:
    difference = json.loads(home.autosr("runs", "diff", "--json").out)
    text = home.autosr("runs", "diff").out

    assert difference["told"]["settings.seed"] == {"first": 7, "second": 8}
    assert {name for name in difference["told"] if not name.startswith(("dataset", "git"))} == {"settings.seed"}
    assert (difference["results"]["prompts"], difference["results"]["only_second"]) == (2, ["c"])
    assert all(change["prompt_id"] in ("a", "b") for change in difference["results"]["changed"])
    assert "not compared" in text, "the datasets differ"
    assert "only in calls" in text


def test_equal_datasets_are_compared_by_what_was_held_out(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "other.json", planted("a", "b", "c"))
    commands = ("search", path, *SMALL[:-1], "one"), ("search", path, *SMALL[:-1], "two", "--seed", "9")
    assert [home.autosr(*command).code for command in commands] == [0, 0]

    pairs = json.loads(home.autosr("runs", "diff", "one", "two", "--json").out)["results"]["pairs_touching_hidden"]

    assert pairs["prompts"] == 3
    assert pairs["difference"]["value"] == pytest.approx(pairs["second"]["value"] - pairs["first"]["value"])
    assert pairs["difference"]["low"] <= pairs["difference"]["value"] <= pairs["difference"]["high"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nothing"], "run 'nothing' is not on record; allowed: an id such as"),
        (["show", "calls~7"], "the search 'calls' has 2 runs; allowed: up to ~1"),
        (["list", "--name", "nothing"], "search 'nothing' has no run on record; allowed: "),
        (["diff", "calls", "nothing"], "run 'nothing' is not on record"),
    ],
)
def test_an_unknown_run_is_reported_on_one_line(home: Home, arguments: list[str], message: str) -> None:
    result = home.autosr("runs", *arguments)

    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_home_without_runs_is_reported(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    assert home.autosr("runs", "list", "--json").out == "[]\n"
    assert "no run is on record yet" in home.autosr("runs", "diff").err
