"""`autosr search`: failed, withdrawn and new prompts, counts, names and settings."""

import re
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from autosr_assets.automation.partition_ranges import partition_ranges
from autosr_assets.runtime.graph_names import prompts_of
from autosr_lib.search.roles import Roles
from tests.assets.commands import CommandResult, Home, planted, write_prompts
from tests.assets.small_search import best_rows, search
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier, fake_roles


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_failed_prompt_is_reported_and_the_others_are_stored_and_exported(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b", "c"))
    failing = Roles(FakeInitializer(failing=frozenset({"b"})), FakeProposer(), FakeVerifier(0.3), FakeJudge())

    result = search(home, path, roles=failing)

    assert result.code == 3
    assert "b: RuntimeError: no rubric for b" in result.out
    assert {key: row["status"] for key, row in best_rows(home).items()} == {"a": "done", "b": "failed", "c": "done"}
    export = home.export("calls")
    assert [entry["prompt_id"] for entry in export["best_rubrics"]] == ["a", "c"]
    assert export["failed_prompts"] == {"b": "RuntimeError: no rubric for b"}
    assert green_and_red(home, "calls") == ({"a", "c"}, {"b"})

    before = {key: content for key, content in home.files().items() if key.endswith(("/a.parquet", "/c.parquet"))}
    again = search(home, path)

    assert again.code == 0
    assert {key: home.files()[key] for key in before} == before
    assert green_and_red(home, "calls") == ({"a", "b", "c"}, set())
    assert [entry["prompt_id"] for entry in home.export("calls")["best_rubrics"]] == ["a", "b", "c"]


def green_and_red(home: Home, name: str) -> tuple[set[str], set[str]]:
    """Return the prompts whose best rubric Dagster shows as materialized, and as failed."""
    key, prompts = dg.AssetKey([name, "best_rubrics"]), prompts_of(name)
    with home.dagster() as instance:
        status = get_and_update_asset_status_cache_value(instance, key, prompts, dynamic_partitions_loader=instance)
        assert status is not None
        failed = status.deserialize_failed_partition_subsets(prompts)
        return set(instance.get_materialized_partitions(key)), set(failed.get_partition_keys())


def test_prompts_that_leave_the_dataset_are_withdrawn_and_new_ones_are_searched(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b", "c"))
    search(home, path)
    old = best_rows(home)
    a, b, c, d = planted("a", "b", "c", "d")
    changed = a.model_copy(update={"prompt": "Write something else."})
    write_prompts(tmp_path / "calls.json", [d, c, changed])

    counted = search(home, path, "--dry-run")
    result = search(home, path)

    assert counts(counted) == {"missing": 1, "failed": 0, "stale": 1, "incomplete": 0, "done": 1, "withdrawn": 1}
    assert result.code == 0
    assert [entry["prompt_id"] for entry in home.export("calls")["best_rubrics"]] == ["d", "c", "a"]
    assert best_rows(home)["c"] == old["c"]
    assert best_rows(home)["a"] != old["a"]

    write_prompts(tmp_path / "calls.json", [a, b, c])
    back = search(home, path)

    assert back.code == 0
    assert best_rows(home)["b"] == old["b"]


def test_a_dry_run_counts_the_pending_work_and_does_none_of_it(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))

    before = search(home, path, "--dry-run")
    nothing = home.files()
    search(home, path)
    after, other = search(home, path, "--dry-run"), search(home, path, "--dry-run", "--tail-fraction", "0.5")

    assert (before.code, nothing) == (0, {})
    assert counts(before)["missing"] == 2
    assert counts(after)["done"] == 2
    assert counts(other)["stale"] == 2


def counts(result: CommandResult) -> dict[str, int]:
    return {kind: int(number) for kind, number in re.findall(r"^(\w+)\s+(\d+)\s*$", result.out, re.MULTILINE)}


@pytest.mark.parametrize(
    ("selected", "chunk_size", "runs"),
    [
        ("abc", 10, ["abc"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("aci", 10, ["abc", "i"]),
        ("h", 1, ["h"]),
        ("ac", 2, ["a", "c"]),
        ("", 5, []),
    ],
)
def test_prompts_are_divided_into_ranges_with_few_unselected_prompts(
    selected: str, chunk_size: int, runs: list[str]
) -> None:
    assert ["".join(run) for run in partition_ranges("abcdefghi", set(selected), chunk_size)] == runs


def test_two_files_of_one_name_never_share_prompts(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "first" / "calls.json", planted("a"))
    other = write_prompts(tmp_path / "second" / "calls.json", planted("z"))
    search(home, path)

    rejected, named = search(home, other), search(home, other, "--name", "others")

    assert rejected.code == 2
    assert rejected.err == f"autosr: name 'calls' is taken by {path}; give {other} another one: --name NAME\n"
    assert named.code == 0
    assert (list(best_rows(home)), list(best_rows(home, "others"))) == (["a"], ["z"])


def test_the_iterative_baseline_shares_prompts_and_preferences_but_no_rows(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a"))
    search(home, path)
    before = home.files()

    result = search(home, path, "--mode", "iterative", "--iterations", "2")

    assert result.code == 0
    assert best_rows(home, "calls_iterative")["a"]["generations"] == 2
    assert {name: home.files()[name] for name in before} == before


def test_a_defined_search_runs_with_the_overrides_of_this_run(home: Home) -> None:
    result = home.autosr(
        "search", "--search", "evolutionary", "--max-generations", "1", "--population-size", "3",
        "--backend", "mock", "--pairs-per-candidate", "2",
    )  # fmt: skip

    assert result.code == 0
    assert {row["generations"] for row in best_rows(home, "evolutionary").values()} == {1}
    manifest = home.export("evolutionary")["run_manifest"]
    assert manifest["settings"]["evolution"]["population_size"] == 3
    assert manifest["dataset_settings"]["reference"]["pairs_per_candidate"] == 2


def test_options_take_precedence_over_the_original_profile(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a"))

    result = home.autosr(
        "search", path, "--profile", "original", "--generations", "1", "--num-votes", "2", roles=fake_roles()
    )

    manifest = home.export("calls")["run_manifest"]
    assert result.code == 0
    assert manifest["structure"]["generations"] == 1
    assert (manifest["settings"]["grading"]["num_votes"], manifest["settings"]["evolution"]["mutations_per_round"]) == (
        2,
        6,
    )
