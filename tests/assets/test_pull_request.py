"""The workflow in `examples/ci`, as a runner runs it: its own lines, in a repository whose pull request changes a dataset."""

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
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def pull_request(folder: Path, prompts: list[Prompt]) -> str:
    """Make a repository with a commit that adds a dataset, and return the commit before."""
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
    """Run the steps' own lines until one fails, and return their names, exit codes and output.

    Actions and the installation are the runner's; what they leave is there already.
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
    done = []
    for step in workflow["jobs"]["search"]["steps"]:
        if "run" not in step or step["name"] == "Install":
            continue
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        said = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        done.append((step["name"], said.returncode, said.stdout + said.stderr))
        if said.returncode:
            break
    return done


@pytest.mark.slow
def test_a_pull_request_with_a_sound_dataset_is_searched_and_passes(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    base = pull_request(folder, planted("a", "b"))

    done = run_workflow(folder, base)

    assert [(name, code) for name, code, _ in done] == [("Validate", 0), ("Search", 0), ("Check", 0)], done
    exports = [path.name for path in (folder / ".autosr" / "exports").glob("*.json")]
    assert exports == ["new.json"], "the dataset that did not change is not searched"


@pytest.mark.slow
def test_a_pull_request_whose_dataset_tells_nothing_apart_fails_at_the_check(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    (prompt,) = planted("a")
    alike = [one.model_copy(update={"metadata": {"rank": 1}}) for one in prompt.candidates]
    base = pull_request(folder, [prompt.model_copy(update={"candidates": tuple(alike)})])

    done = run_workflow(folder, base)

    assert [(name, code) for name, code, _ in done] == [("Validate", 0), ("Search", 0), ("Check", 4)], done
    assert "enough_tail_candidates" in done[-1][2]


def test_checks_that_never_ran_are_no_pass(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    path = write_prompts(tmp_path / "calls.json", planted("a"))
    assert home.autosr("search", path, "--generations", "0").code == 0
    good = home.autosr("checks", "calls", "--json")

    shutil.rmtree(home.root / "dagster")  # and with it all that Dagster knew
    bad = home.autosr("checks")

    assert (good.code, {one["result"] for one in json.loads(good.out)}) == (0, {PASSED})
    assert bad.code == 4
    assert NOT_RUN in bad.out
    assert FAILED not in bad.out


def test_checks_of_a_search_that_is_not_there_are_told_on_one_line(tmp_path: Path) -> None:
    said = Home(tmp_path / "home").autosr("checks", "calls")

    assert (said.code, said.err) == (2, "autosr: no run is on record yet; first: autosr search\n")
