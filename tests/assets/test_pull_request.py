"""The workflow in `examples/ci`, executed in a repository whose pull request changes a dataset."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from autosr_assets.checks.check_results import FAILED, NOT_RUN, PASSED
from autosr_lib.domain.prompt import Prompt
from tests.assets.commands import Home, planted, write_prompts

WORKFLOW = Path(__file__).parents[2] / "examples" / "ci" / "rubrics.yml"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603 - fixed arguments
    return process.stdout.strip()


def pull_request(folder: Path, prompts: list[Prompt]) -> str:
    """Make a repository with a commit that adds a dataset; return the previous commit."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    write_prompts(folder / "datasets" / "old.json", planted("o"))
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "before")
    base = git(folder, "rev-parse", "HEAD")
    write_prompts(folder / "datasets" / "new.json", prompts)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "a dataset")
    return base


def run_workflow(folder: Path, base: str) -> list[tuple[str, int, str]]:
    """Run the commands of the steps until one fails; return their names, exit codes and output.

    Actions and the installation are skipped: the environment of the tests has what they install.
    """
    workflow: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["defaults"]["run"]["shell"] == "bash"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LLM_", "AUTOSR_", "DAGSTER_"))},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AUTOSR_HOME": str(folder / ".autosr"),
        "DAGSTER_DISABLE_TELEMETRY": workflow["env"]["DAGSTER_DISABLE_TELEMETRY"],
        "BASE": base,
        "LLM_API_KEY": "",
    }
    results = []
    for step in workflow["jobs"]["search"]["steps"]:
        if "run" not in step or step["name"] == "Install":
            continue
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        process = subprocess.run(  # noqa: S603 - commands of this project
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        results.append((step["name"], process.returncode, process.stdout + process.stderr))
        if process.returncode:
            break
    return results


@pytest.mark.slow
def test_a_pull_request_with_a_valid_dataset_is_searched_and_passes(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    base = pull_request(folder, planted("a", "b"))

    results = run_workflow(folder, base)

    assert [(name, code) for name, code, _ in results] == [("Validate", 0), ("Search", 0), ("Check", 0)], results
    exports = [path.name for path in (folder / ".autosr" / "exports").glob("*.json")]
    assert exports == ["new.json"], "the dataset that did not change is not searched"


@pytest.mark.slow
def test_a_pull_request_with_equal_labels_only_fails_at_the_check(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    (prompt,) = planted("a")
    equal = [candidate.model_copy(update={"metadata": {"rank": 1}}) for candidate in prompt.candidates]
    base = pull_request(folder, [prompt.model_copy(update={"candidates": tuple(equal)})])

    results = run_workflow(folder, base)

    assert [(name, code) for name, code, _ in results] == [("Validate", 0), ("Search", 0), ("Check", 4)], results
    assert "enough_tail_candidates" in results[-1][2]


def test_checks_that_never_ran_do_not_count_as_passed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    path = write_prompts(tmp_path / "calls.json", planted("a"))
    assert home.autosr("search", path, "--generations", "0").code == 0
    recorded = home.autosr("checks", "calls", "--json")

    shutil.rmtree(home.root / "dagster")  # removes the recorded results
    unknown = home.autosr("checks")

    assert (recorded.code, {check["result"] for check in json.loads(recorded.out)}) == (0, {PASSED})
    assert unknown.code == 4
    assert NOT_RUN in unknown.out
    assert FAILED not in unknown.out


def test_checks_of_a_search_that_does_not_exist_are_an_error_on_one_line(tmp_path: Path) -> None:
    result = Home(tmp_path / "home").autosr("checks", "calls")

    assert (result.code, result.err) == (2, "autosr: no run is on record yet; first run autosr search\n")
