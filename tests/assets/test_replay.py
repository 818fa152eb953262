"""A run is repeated from its record alone: a fresh clone gives the same rubrics, byte for byte."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.assets.commands import Home, planted, write_prompts
from tests.llm.server import ModelServer

PROJECT = Path(__file__).parents[2]
DEMO = PROJECT / "examples" / "demo_dataset.json"
KEY = "sk-marked-5a0c7d1e"
SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--generations", "1")


@dataclass(frozen=True)
class ModelHome(Home):
    """A home whose commands call a model server with a key."""

    base_url: str = ""

    def environment(self) -> Mapping[str, str]:
        endpoint = {"LLM_API_KEY": KEY, "LLM_BASE_URL": self.base_url, "LLM_MODEL": "scripted"}
        return {**super().environment(), **endpoint}


def record_of(home: Home, name: str, suffix: str) -> Path:
    """Return the one record of a search."""
    (path,) = (home.root / "exports" / "run_records").glob(f"{name}_*.{suffix}")
    return path


def fresh_clone(folder: Path) -> Path:
    """Return a clone of the commits of this checkout."""
    clone = ["git", "clone", "--quiet", str(PROJECT), str(folder)]
    subprocess.run(clone, check=True, timeout=60)  # noqa: S603 - our own arguments
    return folder


def run_script(
    script: Path, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder with the packages of these tests and the project of that folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LLM_", "AUTOSR_", "DAGSTER_"))}
    variables = {
        **kept,
        "AUTOSR": f"{sys.executable} -m autosr_assets",
        "PYTHONPATH": str(folder),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        **(environment or {}),
    }
    command = ["bash", str(script), *arguments]
    return subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=280
    )


def rubrics(path: Path) -> bytes:
    """Return the part of an export that contains the rubrics, as bytes."""
    return path.read_bytes().partition(b'"best_objective_scores"')[0]


@pytest.mark.slow
def test_the_script_of_a_run_gives_the_same_rubrics_in_a_fresh_clone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    options = ("--search", "evolutionary", "--seed", "11", "--max-generations", "2", "--population-size", "5")
    assert home.autosr("search", *options).code == 0
    script = shutil.copy(record_of(home, "evolutionary", "reproduce.sh"), tmp_path / "reproduce.sh")
    clone = fresh_clone(tmp_path / "clone")

    done = run_script(script, clone, "examples/demo_dataset.json", "out.json")

    assert done.returncode == 0, done.stderr
    assert "byte for byte" in done.stdout
    assert rubrics(clone / "out.json") == rubrics(home.root / "exports" / "evolutionary.json")
    assert list((clone / "data" / "storage").glob("replay_*")), "the clone's own code and home were used"


@pytest.mark.slow
def test_a_search_with_a_model_is_repeated_at_another_address(tmp_path: Path) -> None:
    path, clone = tmp_path / "export.json", fresh_clone(tmp_path / "clone")
    with ModelServer() as server, ModelServer() as other:
        home = ModelHome(tmp_path / "home", server.base_url)
        quick = ("--llm-retry-backoff-base", "0.005")
        result = home.autosr("search", str(DEMO), *SMALL, *quick, "--judge", "model", "--output", str(path))
        assert result.code == 0, result.err
        (script,) = (tmp_path / "run_records").glob("*.reproduce.sh")

        environment = {"LLM_API_KEY": "another", "LLM_BASE_URL": other.base_url}
        done = run_script(script, clone, str(DEMO), str(tmp_path / "again.json"), environment=environment)

        assert done.returncode == 0, done.stderr
        assert rubrics(tmp_path / "again.json") == rubrics(path)
        assert len(other.requests) == len(server.requests) > 50
    assert all(KEY not in file.read_text() for file in (tmp_path / "run_records").iterdir())


@pytest.mark.slow
def test_a_changed_dataset_is_refused_and_different_rubrics_are_reported(tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home"), write_prompts(tmp_path / "calls.json", planted("a"))
    assert home.autosr("search", path, *SMALL).code == 0
    script = record_of(home, "calls", "reproduce.sh")
    (tmp_path / "changed.json").write_text(Path(path).read_text() + "\n")
    text = script.read_text()
    (tmp_path / "other.sh").write_text(text.replace('"holdout_fraction": 0.25', '"holdout_fraction": 0.5'))
    environment = {"AUTOSR_HOME": str(tmp_path / "again")}

    changed = run_script(script, PROJECT, str(tmp_path / "changed.json"), environment=environment)
    other = run_script(tmp_path / "other.sh", PROJECT, path, str(tmp_path / "other.json"), environment=environment)

    assert changed.returncode == 2
    assert "the sha256 of" in changed.stderr
    assert other.returncode == 1, other.stderr
    assert "has other rubrics than run" in other.stderr


def test_the_manifest_of_a_run_is_a_settings_file_for_a_search(tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a"))
    first, second = Home(tmp_path / "first"), Home(tmp_path / "second")
    assert first.autosr("search", path, *SMALL, "--seed", "5", "--holdout-fraction", "0.4").code == 0

    result = second.autosr("search", path, "--settings", str(record_of(first, "calls", "manifest.json")))

    assert result.code == 0, result.err
    manifest = second.export("calls")["run_manifest"]
    assert (manifest["seed"], manifest["dataset_settings"]["holdout"]["holdout_fraction"]) == (5, 0.4)
    assert manifest["rubrics_sha256"] == first.export("calls")["run_manifest"]["rubrics_sha256"]


def test_a_settings_file_can_be_short_and_its_faults_are_reported_on_one_line(tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home"), write_prompts(tmp_path / "calls.json", planted("a"))
    good, bad, none = (tmp_path / name for name in ("good.yaml", "bad.yaml", "none.yaml"))
    good.write_text("structure: {generations: 1}\nsettings: {seed: 3, evolution: {population_size: 4}}\n")
    bad.write_text("settings: {evolution: {population: 4}}\n")
    none.write_text("seed: 3\n")

    results = [home.autosr("search", path, "--settings", str(file), "--seed", "9") for file in (good, bad, none)]

    assert [result.code for result in results] == [0, 2, 2]
    manifest = home.export("calls")["run_manifest"]
    assert (manifest["seed"], manifest["structure"]["generations"]) == (9, 1)
    assert manifest["settings"]["evolution"]["population_size"] == 4
    assert "evolution.population is not a setting" in results[1].err
    assert "no settings in it; allowed: some of structure" in results[2].err


def test_an_export_with_the_same_contents_makes_no_second_record(tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home"), write_prompts(tmp_path / "calls.json", planted("a"))
    assert home.autosr("search", path, *SMALL).code == 0
    before = home.files()
    (home.root / "exports" / "calls.json").unlink()

    result = home.autosr("search", path, *SMALL)

    assert result.code == 0
    after = home.files()
    assert after.keys() == before.keys()
    assert {name: content for name, (_, content) in after.items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_a_different_result_makes_its_own_record(tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home"), write_prompts(tmp_path / "calls.json", planted("a"))

    assert home.autosr("search", path, *SMALL).code == 0
    assert home.autosr("search", path, *SMALL, "--seed", "8").code == 0

    manifests = list((home.root / "exports" / "run_records").glob("calls_*.manifest.json"))
    assert sorted(json.loads(file.read_text())["seed"] for file in manifests) == [7, 8]
    assert {file.name for file in (home.root / "storage" / "runs").iterdir()} == {
        f"{json.loads(file.read_text())['run_id']}.parquet" for file in manifests
    }
