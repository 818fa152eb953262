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


def test_all_assets_can_be_materialized_as_one_range_from_a_shell() -> None:
    graph = defs().resolve_asset_graph()

    policies = {graph.get(key).backfill_policy for key in graph.get_all_asset_keys()}

    assert policies == {dg.BackfillPolicy.single_run()}


def test_the_jobs_of_datasets_and_searches_have_tags() -> None:
    jobs = {job.name: job for job in defs().resolve_all_job_defs()}

    assert jobs["demo_dataset"].tags == {"autosr/dataset": "demo"}
    job_tags = [jobs[f"{name}_{what}"].tags for name in ("evolutionary", "iterative") for what in ("search", "export")]
    assert [tags["autosr/mode"] for tags in job_tags] == ["evolutionary", "evolutionary", "iterative", "iterative"]
    assert {tags["autosr/dataset"] for tags in job_tags} == {"demo"}
    assert job_tags[0] == job_tags[1]
    assert job_tags[0]["autosr/settings"] != job_tags[2]["autosr/settings"]


def test_steps_that_use_one_endpoint_share_a_pool_and_heuristic_steps_have_none() -> None:
    def pools(backend: str, base_url: str) -> set[str]:
        settings = SearchRunSettings.model_validate({"backend": {"backend": backend, "llm": {"base_url": base_url}}})
        search = RubricSearch(dataset="calls", generations=1, settings=settings).definitions("evolved")
        return {
            pool for asset in search.assets or () if isinstance(asset, dg.AssetsDefinition) for pool in asset.op.pools
        }

    assert pools("auto", "https://first.example/v1") == {"endpoint_first_example_v1"}
    assert pools("llm", "https://second.example:8000/v1") == {"endpoint_second_example_8000_v1"}
    assert pools("heuristic", "https://first.example/v1") == set()


@pytest.mark.parametrize("name", ["", "1st", "a/b", "a b", "ü"])
def test_an_invalid_name_is_rejected(name: str) -> None:
    with pytest.raises(SettingsError, match="name of the search is"):
        RubricSearch(dataset="demo").definitions(name)


@pytest.mark.slow
def test_scaffolded_components_load_in_another_project(tmp_path: Path) -> None:
    (tmp_path / "project" / "defs").mkdir(parents=True)
    (tmp_path / "project" / "__init__.py").touch()
    (tmp_path / "project" / "definitions.py").write_text(
        "from pathlib import Path\n"
        "import dagster as dg\n"
        "from autosr_assets.definitions import shared\n\n"
        "@dg.definitions\n"
        "def defs():\n"
        "    return dg.Definitions.merge(shared(), dg.load_from_defs_folder(path_within_project=Path(__file__).parent))\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "project"\n'
        'registry_modules = ["autosr_assets.components"]\n'
    )

    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.PromptDataset", "calls", "--path", "calls.jsonl")
    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.RubricSearch", "evolved")
    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.RubricSearch", "other", "--dataset", "calls")
    run_dg(tmp_path, "scaffold", "defs", "autosr_assets.components.SearchComparison", "comparison")
    listed = run_dg(tmp_path, "list", "defs", "--json")

    assert (tmp_path / "project" / "defs" / "evolved" / "defs.yaml").read_text().count("dataset: calls") == 1
    assert all(f'"{key}"' in listed for key in ("evolved/best_rubrics", "other/best_rubrics", "calls/comparison"))


@pytest.mark.slow
def test_check_defs_names_an_invalid_setting_of_the_yaml(tmp_path: Path) -> None:
    (tmp_path / "project" / "defs" / "evolved").mkdir(parents=True)
    (tmp_path / "project" / "__init__.py").touch()
    (tmp_path / "project" / "defs" / "evolved" / "defs.yaml").write_text(
        "type: autosr_assets.components.RubricSearch\n"
        "attributes:\n  dataset: calls\n  settings:\n    evolution:\n      population_size: 0\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "project"\n'
        'registry_modules = ["autosr_assets.components"]\n'
    )

    with pytest.raises(AssertionError, match=r"population_size"):
        run_dg(tmp_path, "check", "defs")


def test_a_component_without_settings_has_the_defaults() -> None:
    assert RubricSearch(dataset="demo").settings == SearchRunSettings()


def run_dg(project: Path, *arguments: str) -> str:
    """Run `dg` and return its output; fail with the output if it fails."""
    folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(folder.parent),
        "PYTHONPATH": str(project),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    process = subprocess.run(  # noqa: S603 - fixed arguments
        [str(folder / "dg"), *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout
