"""Runs are read back from their manifests: listed, shown, and told apart."""

import json
from pathlib import Path

import pytest

from tests.assets.commands import Home, planted, write_prompts

SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--generations", "1", "--name", "calls")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with two runs of one search, the second with another seed and a prompt more."""
    folder = tmp_path_factory.mktemp("runs")
    home = Home(folder / "home")
    path = folder / "calls.json"
    write_prompts(path, planted("a", "b"))
    assert home.autosr("search", str(path), *SMALL).code == 0
    write_prompts(path, planted("a", "b", "c"))
    assert home.autosr("search", str(path), *SMALL, "--seed", "8").code == 0
    return home


def test_runs_are_listed_the_latest_first(home: Home) -> None:
    told = json.loads(home.autosr("runs", "list", "--json").out)
    said = home.autosr("runs", "list").out.splitlines()

    assert [run["seed"] for run in told] == [8, 7]
    assert [line.split()[0] for line in said[1:]] == [run["run_id"][:8] for run in told]
    assert [run["totals"]["prompts"] for run in told] == [3, 2]


def test_a_run_is_shown_by_its_id_its_beginning_or_its_search(home: Home) -> None:
    latest, before = json.loads(home.autosr("runs", "list", "--json").out)

    by_search = home.autosr("runs", "show", "calls").out
    by_place = json.loads(home.autosr("runs", "show", "calls~1", "--json").out)
    by_beginning = json.loads(home.autosr("runs", "show", before["run_id"][:6], "--json").out)

    assert latest["run_id"] in by_search
    assert "seed: 8" in by_search
    assert by_place == by_beginning == before


def test_the_difference_between_two_runs_lists_settings_and_results(home: Home) -> None:
    told = json.loads(home.autosr("runs", "diff", "--json").out)
    said = home.autosr("runs", "diff").out

    assert told["told"]["settings.seed"] == {"first": 7, "second": 8}
    assert {name for name in told["told"] if not name.startswith(("dataset", "git"))} == {"settings.seed"}
    assert (told["results"]["prompts"], told["results"]["only_second"]) == (2, ["c"])
    assert all(one["prompt_id"] in ("a", "b") for one in told["results"]["changed"])
    assert "not compared" in said, "the dataset is another one"
    assert "only in calls" in said


def test_equal_datasets_are_compared_by_what_was_held_out(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "other.json", planted("a", "b", "c"))
    one, other = ("search", path, *SMALL[:-1], "one"), ("search", path, *SMALL[:-1], "two", "--seed", "9")
    assert (home.autosr(*one).code, home.autosr(*other).code) == (0, 0)

    found = json.loads(home.autosr("runs", "diff", "one", "two", "--json").out)["results"]["pairs_touching_hidden"]

    assert found["prompts"] == 3
    assert found["difference"]["value"] == pytest.approx(found["second"]["value"] - found["first"]["value"])
    assert found["difference"]["low"] <= found["difference"]["value"] <= found["difference"]["high"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nothing"], "run 'nothing' is not on record; allowed: an id such as"),
        (["show", "calls~7"], "the search 'calls' has 2 runs; allowed: up to ~1"),
        (["list", "--name", "nothing"], "name 'nothing' has no run on record; there are"),
        (["diff", "calls", "nothing"], "run 'nothing' is not on record"),
    ],
)
def test_an_unknown_run_is_reported_on_one_line(home: Home, arguments: list[str], said: str) -> None:
    answer = home.autosr("runs", *arguments)

    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_a_home_without_runs_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    assert home.autosr("runs", "list", "--json").out == "[]\n"
    assert "no run is on record yet" in home.autosr("runs", "diff").err
