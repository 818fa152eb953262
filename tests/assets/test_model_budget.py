"""Searches of the command line whose number of model calls is limited."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.definitions import shared
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.tables.columns import Columns
from tests.assets.model_home import DEMO, QUICK, SMALL, ModelHome
from tests.llm.server import ModelServer


@pytest.mark.slow
def test_the_calls_of_a_run_are_divided_over_its_prompts_and_reaching_the_limit_is_a_normal_ending(
    tmp_path: Path,
) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *QUICK, "--max-calls", "110")

        assert result.code == 0, result.err
        assert "max_calls 110" in result.err
        assert len(server.requests) <= 110
        export = home.export("demo_dataset")
        assert {entry["stopped"] for entry in export["best_rubrics"]} == {"budget"}
        assert {entry["status"] for entry in export["best_rubrics"]} == {"done"}
        assert export["run_manifest"]["deterministic"] is True


@pytest.mark.slow
def test_a_dagster_run_over_one_prompt_divides_its_calls_as_the_command_line_does_over_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)
        assert home.search(DEMO, *QUICK, "--max-calls", "60", "--chunk-size", "1", "--generations", "1").code == 0
        best, earlier_requests = home.best(), len(server.requests)

        row = materialize_best_rubric(home, monkeypatch, {"backend": {"llm": {"max_calls": 60}}}, "refund-reply")

        assert row["calls"] == best["refund-reply"]["calls"]
        assert row["input_fingerprint"] == best["refund-reply"]["input_fingerprint"]
        assert row["stopped"] == "budget"
        assert len(server.requests) == earlier_requests


def materialize_best_rubric(home: ModelHome, patch: pytest.MonkeyPatch, settings: dict[str, Any], key: str) -> Columns:
    """Return the best rubric of one prompt of the demo, after materializing components with these settings."""
    for name, value in home.environment().items():
        patch.setenv(name, value)
    shutil.rmtree(home.root / "storage")
    dataset = PromptDataset(settings=DatasetRunSettings(path=str(DEMO), backend=settings["backend"]))
    search = RubricSearch(dataset="demo", generations=1, settings=SearchRunSettings.model_validate(settings))
    defs = dg.Definitions.merge(shared(), dataset.definitions("demo"), search.definitions("other"))
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        assert (
            job.get_subset(asset_selection={dg.AssetKey(["demo", "dataset"])})
            .execute_in_process(instance=instance)
            .success
        )
        other_assets = job.asset_layer.executable_asset_keys - {dg.AssetKey(["demo", "dataset"])}
        job.get_subset(asset_selection=other_assets).execute_in_process(instance=instance, partition_key=key)
    return home.rows("other/best_rubrics")[key][0]


@pytest.mark.slow
def test_the_run_s_own_limit_exports_the_best_so_far_and_marks_the_run_as_not_deterministic(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *QUICK, "--max-calls", "100", "--max-calls-per-prompt", "500")

        assert result.code == 0, result.err
        assert len(server.requests) == 100
        export = home.export("demo_dataset")
        assert len(export["best_rubrics"]) == 3
        assert "budget" in {entry["stopped"] for entry in export["best_rubrics"]}
        assert export["run_manifest"]["deterministic"] is False

        repeated = home.search(DEMO, *QUICK, "--max-calls", "1500", "--max-calls-per-prompt", "500")

        assert repeated.code == 0, repeated.err
        assert home.export("demo_dataset")["run_manifest"]["deterministic"] is True


def test_a_prompt_without_any_remaining_calls_fails_with_that_reason(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *SMALL, "--max-calls", "3", "--max-calls-per-prompt", "500", "--judge", "quality")

        assert result.code == 3
        assert all(row["error"].startswith("the run's budget is spent: max_calls") for row in home.best().values())
        assert home.export("demo_dataset")["run_manifest"]["deterministic"] is False


def test_too_few_calls_for_the_initial_rubrics_are_rejected_before_any_request(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *QUICK, "--max-calls", "30")

        assert result.code == 2
        assert result.err.count("\n") == 1
        assert "max_calls is 30" in result.err
        assert not server.requests
