"""The graph that Dagster loads from YAML."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.definitions import defs, shared
from autosr_lib.errors import SettingsError
from autosr_lib.search.settings import Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings

DATASET = PromptDataset(settings=DatasetRunSettings(path="examples/demo_dataset.json"))


def test_the_keys_of_all_assets() -> None:
    keys = {key.to_user_string() for key in defs().resolve_asset_graph().get_all_asset_keys()}

    evolutionary, iterative = ([f"generation_{k:02d}" for k in range(1, n + 1)] for n in (Structure().generations, 6))
    ends = ["initial_rubrics", "best_rubrics", "rubric_export"]
    assert keys == {
        "demo/dataset",
        "demo/preferences",
        "demo/comparison",
        *(f"evolutionary/{asset}" for asset in [*ends, *evolutionary]),
        *(f"iterative/{asset}" for asset in [*ends, *iterative]),
    }


def test_two_searches_over_one_dataset_share_its_prompts_and_load_together() -> None:
    merged = dg.Definitions.merge(
        shared(),
        DATASET.definitions("pandalm"),
        RubricSearch(dataset="pandalm", generations=2).definitions("evolutionary"),
        RubricSearch(dataset="pandalm", generations=3).definitions("pandalm"),  # the name of its dataset
    )
    graph = merged.resolve_asset_graph()

    per_prompt = [key for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned]
    assert {graph.get(key).partitions_def for key in per_prompt} == {
        dg.DynamicPartitionsDefinition(name="pandalm_prompts")
    }
    assert sorted(key.to_user_string() for key in graph.get_all_asset_keys() - set(per_prompt)) == [
        "evolutionary/rubric_export",
        "pandalm/dataset",
        "pandalm/rubric_export",
    ]
    assert {job.name for job in merged.resolve_all_job_defs()} >= {"pandalm_dataset", "evolutionary_search"}


def test_everything_can_be_run_as_one_range_from_a_shell() -> None:
    graph = defs().resolve_asset_graph()

    policies = {graph.get(key).backfill_policy for key in graph.get_all_asset_keys()}

    assert policies == {dg.BackfillPolicy.single_run()}


def test_each_search_has_jobs_whose_runs_say_what_they_are_about() -> None:
    jobs = {job.name: job for job in defs().resolve_all_job_defs()}

    assert jobs["demo_dataset"].tags == {"autosr/dataset": "demo"}
    told = [jobs[f"{name}_{what}"].tags for name in ("evolutionary", "iterative") for what in ("search", "export")]
    assert [tags["autosr/mode"] for tags in told] == ["evolutionary", "evolutionary", "iterative", "iterative"]
    assert {tags["autosr/dataset"] for tags in told} == {"demo"}
    assert told[0] == told[1]
    assert told[0]["autosr/settings"] != told[2]["autosr/settings"]


def test_steps_that_may_ask_one_endpoint_share_a_pool_and_heuristic_ones_have_none() -> None:
    def pools(backend: str, base_url: str) -> set[str]:
        settings = SearchRunSettings.model_validate({"backend": {"backend": backend, "llm": {"base_url": base_url}}})
        search = RubricSearch(dataset="calls", generations=1, settings=settings).definitions("evolved")
        return {
            pool for asset in search.assets or () if isinstance(asset, dg.AssetsDefinition) for pool in asset.op.pools
        }

    assert pools("auto", "https://one.example/v1") == {"endpoint_one_example_v1"}
    assert pools("llm", "https://two.example:8000/v1") == {"endpoint_two_example_8000_v1"}
    assert pools("heuristic", "https://one.example/v1") == set()


@pytest.mark.parametrize("name", ["", "1st", "a/b", "a b", "ü"])
def test_a_name_that_dagster_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="name of the search is"):
        RubricSearch(dataset="demo").definitions(name)


@pytest.mark.slow
def test_scaffolded_datasets_searches_and_comparisons_load_in_a_project_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine" / "defs").mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "definitions.py").write_text(
        "from pathlib import Path\n"
        "import dagster as dg\n"
        "from autosr_assets.definitions import shared\n\n"
        "@dg.definitions\n"
        "def defs():\n"
        "    return dg.Definitions.merge(shared(), dg.load_from_defs_folder(path_within_project=Path(__file__).parent))\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "mine"\n'
        'registry_modules = ["autosr_assets.components"]\n'
    )

    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.PromptDataset", "calls", "--path", "calls.jsonl")
    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.RubricSearch", "evolved")
    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.RubricSearch", "other", "--dataset", "calls")
    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.SearchComparison", "comparison")
    listed = run_dg(tmp_path, "list", "defs", "--json")

    assert (tmp_path / "mine" / "defs" / "evolved" / "defs.yaml").read_text().count("dataset: calls") == 1
    assert all(f'"{key}"' in listed for key in ("evolved/best_rubrics", "other/best_rubrics", "calls/comparison"))


@pytest.mark.slow
def test_a_bad_setting_in_yaml_is_found_by_check_defs_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "mine" / "defs" / "evolved").mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "defs" / "evolved" / "defs.yaml").write_text(
        "type: autosr_assets.components.RubricSearch\n"
        "attributes:\n  dataset: calls\n  settings:\n    evolution:\n      population_size: 0\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "mine"\n'
        'registry_modules = ["autosr_assets.components"]\n'
    )

    with pytest.raises(AssertionError, match=r"population_size"):
        run_dg(tmp_path, "check", "defs")


def test_settings_of_yaml_are_frozen_values() -> None:
    assert RubricSearch(dataset="demo").settings == SearchRunSettings()


def run_dg(project: Path, *arguments: str) -> str:
    """Return what `dg` printed; fail with what it complained of."""
    folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(folder.parent),
        "PYTHONPATH": str(project),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(  # noqa: S603 - our own arguments
        [str(folder / "dg"), *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
