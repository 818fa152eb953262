"""Dagster's command line in a fresh home, as CI uses it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DATASET = 'key:"demo/dataset"'
REST = 'key:"demo/preferences" or key:"iterative/*"'


def shell(home: Path, command: str, *arguments: str) -> str:
    """Run `dagster …` or `dg …` in the project and return what it printed."""
    home.mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "LLM_API_KEY"},
        "DAGSTER_HOME": str(home),
        "AUTOSR_HOME": str(home / "data"),
        "AUTOSR_STORAGE": "",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",  # `dg` calls itself
        "VIRTUAL_ENV": str(BIN.parent),
    }
    done = subprocess.run(  # noqa: S603 - our own arguments
        [str(BIN / command), *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", ["dagster asset materialize", "dg launch"])
def test_two_commands_materialize_a_search_on_a_fresh_home(command: str, tmp_path: Path) -> None:
    prompts = ("--partition-range", "refund-reply...moon-shape")  # the first to the last, in the order of the dataset

    if command == "dg launch":
        shell(tmp_path, "dg", "launch", "--assets", DATASET)
        shell(tmp_path, "dg", "launch", "--job", "iterative_search", *prompts)
    else:
        graph = ("asset", "materialize", "-m", "autosr_assets.definitions")  # the command has no option -w
        shell(tmp_path, "dagster", *graph, "--select", DATASET)
        shell(tmp_path, "dagster", *graph, "--select", REST, *prompts)

    store = TableStore(tmp_path / "data" / "storage")
    assert store.keys(TableName.best_rubrics("iterative")) == ["moon-shape", "mutable-default", "refund-reply"]
    assert (tmp_path / "data" / "exports" / "iterative.json").is_file()
