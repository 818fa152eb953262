"""Comparisons of searches over one dataset: the asset, its automation, and the command."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from autosr_assets.components import SearchComparison
from autosr_assets.components.defs_folder import declared_components
from autosr_assets.definitions import shared
from autosr_assets.runtime.graph_names import common_dataset
from autosr_lib.errors import SettingsError
from autosr_lib.storage.table_names import TableName
from tests.assets.commands import CommandResult, Home, planted, write_prompts

SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--generations", "1")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """Return a home in which two searches ran over `calls`, and one over another dataset."""
    folder = tmp_path_factory.mktemp("compared")
    home = Home(folder / "home")
    path = write_prompts(folder / "calls.json", planted("a", "b", "c"))
    other_path = write_prompts(folder / "other.json", planted("x"))
    commands = [(path,), (path, "--mode", "iterative"), (other_path,)]
    assert [home.autosr("search", *command, *SMALL).code for command in commands] == [0, 0, 0]
    return home, path


def materialize_comparison(home: Home) -> dg.AssetMaterialization:
    """Return the materialization of the asset over these searches."""
    component = SearchComparison(searches=["calls_iterative", "calls"])
    defs = dg.Definitions.merge(
        shared(),
        component.definitions("comparison", "calls"),
        dg.Definitions(assets=[dg.AssetSpec(dg.AssetKey(["calls", "dataset"]))]),
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in home.environment().items():
            patch.setenv(name, value)
        job = defs.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=dg.DagsterInstance.ephemeral())
    (event,) = result.get_asset_materialization_events()
    return event.materialization


def test_the_asset_publishes_tables_and_figures_and_stores_one_row_per_prompt_and_search(
    searched: tuple[Home, str],
) -> None:
    home, _ = searched

    materialization = materialize_comparison(home)

    metadata: dict[str, Any] = {name: value.value for name, value in materialization.metadata.items()}
    assert "| calls − calls_iterative |" in metadata["comparison"]
    assert "| 3 of 3 |" in metadata["comparison"]
    assert metadata["calls_prompts_compared"] == 3
    assert metadata["calls_touching_low"] <= metadata["calls_touching_value"] <= metadata["calls_touching_high"]
    gain = metadata["calls_touching_accuracy"] - metadata["calls_iterative_touching_accuracy"]
    assert metadata["calls_touching_value"] == pytest.approx(gain)
    rows = home.store.stored(TableName.comparison("calls", "comparison")).read().to_pylist()
    assert {(row["search"], row["prompt_id"]) for row in rows} == {
        (search, prompt) for search in ("calls", "calls_iterative") for prompt in ("a", "b", "c")
    }


def test_the_asset_is_requested_when_both_searches_are_exported_and_again_when_one_export_changes() -> None:
    keys = {name: dg.AssetKey(name.split("/")) for name in ("calls/dataset", "one/rubric_export", "two/rubric_export")}
    comparison = SearchComparison(searches=["one", "two"]).definitions("comparison", "calls")
    upstream = dg.Definitions([dg.AssetSpec(key) for key in keys.values()])
    instance, cursor = dg.DagsterInstance.ephemeral(), None
    requested = []

    for name, version in (
        (None, ""), ("calls/dataset", "v1"), ("one/rubric_export", "v1"), ("two/rubric_export", "v1"),
        (None, ""), ("calls/dataset", "v2"), ("two/rubric_export", "v1"), ("two/rubric_export", "v2"), (None, ""),
    ):  # fmt: skip
        if name is not None:
            event = dg.AssetMaterialization(keys[name], tags={"dagster/data_version": version})
            instance.report_runless_asset_event(event)
        evaluation = dg.evaluate_automation_conditions(
            dg.Definitions.merge(shared(), comparison, upstream), instance, cursor=cursor
        )
        cursor = evaluation.cursor
        requested.append(evaluation.total_requested)
        if evaluation.total_requested:
            instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(["calls", "comparison"])))

    assert requested == [0, 0, 0, 1, 0, 0, 0, 1, 0]


def test_a_prompt_without_a_row_in_one_search_is_left_out_and_counted(searched: tuple[Home, str]) -> None:
    home, path = searched
    home.store.path(TableName.best_rubrics("calls_iterative"), "b").unlink()

    comparison = json.loads(home.autosr("compare", "calls", "calls_iterative", "--json").out)
    printed = home.autosr("compare", "calls", "calls_iterative").out

    assert comparison["against_the_first"]["calls_iterative"]["prompts_compared"] == 2
    assert [search["rubrics"] for search in comparison["searches"]] == [3, 2]
    assert "2 of 3 prompts compared" in printed
    assert home.autosr("search", path, "--mode", "iterative", *SMALL).code == 0  # restores the row for the other tests


def test_searches_that_cannot_be_compared_are_rejected_on_one_line(searched: tuple[Home, str]) -> None:
    home, _ = searched

    results: list[CommandResult] = [
        home.autosr("compare", *names) for names in (("calls", "other"), ("calls",), ("calls", "no"))
    ]

    assert [result.code for result in results] == [2, 2, 2]
    assert results[0].err == (
        "autosr: searches are over different datasets: calls over calls, other over other; must be over the same dataset\n"
    )
    assert "must be at least two, without repetitions" in results[1].err
    assert "search 'no' has no run on record; allowed: calls, calls_iterative, other" in results[2].err


def test_a_comparison_over_different_datasets_or_of_an_unknown_search_is_rejected() -> None:
    datasets = {"first": "calls", "second": "demo", "third": "demo"}

    assert common_dataset(["second", "third"], datasets) == "demo"
    with pytest.raises(SettingsError, match="first over calls, second over demo; must be over the same dataset"):
        common_dataset(["first", "second"], datasets)
    with pytest.raises(SettingsError, match="'fourth' does not exist; allowed: first, second, third"):
        common_dataset(["first", "fourth"], datasets)


def test_the_components_of_this_project_are_declared_in_yaml() -> None:
    defs = Path(__file__).parents[2] / "autosr_assets" / "defs"

    kinds = {component.name: component.kind for component in declared_components(defs)}

    assert kinds == {
        "comparison": "SearchComparison",
        "demo": "PromptDataset",
        "evolutionary": "RubricSearch",
        "iterative": "RubricSearch",
    }
