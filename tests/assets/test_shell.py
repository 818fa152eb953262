"""What CI does: Dagster's own command line on a home that nothing has touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autosr_lib.storage.store import TableStore

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DATASET = 'key:"demo/dataset"'
REST = 'key:"demo/preferences" or key:"evolutionary/*"'


def dagster(home: Path, *arguments: str) -> str:
    """Run `dagster …` in the project and return what it printed."""
    home.mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "LLM_API_KEY"},
        "DAGSTER_HOME": str(home),
        "AUTOSR_HOME": str(home / "data"),
        "AUTOSR_STORAGE": "",
    }
    command = [str(BIN / "dagster"), *arguments]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_two_commands_materialize_a_search_on_a_fresh_home(tmp_path: Path) -> None:
    graph = ("-m", "autosr_assets.definitions")  # there is no -w
    prompts = "refund-reply...moon-shape"  # from the first to the last, in the order of the dataset

    dagster(tmp_path, "asset", "materialize", *graph, "--select", DATASET)
    dagster(tmp_path, "asset", "materialize", *graph, "--select", REST, "--partition-range", prompts)

    store = TableStore(tmp_path / "data" / "storage")
    assert store.keys("evolutionary/best_rubrics") == ["moon-shape", "mutable-default", "refund-reply"]
    assert (tmp_path / "data" / "exports" / "evolutionary.json").is_file()
