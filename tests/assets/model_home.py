"""A home whose commands call a model server on loopback."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from autosr_assets.records.manifest import RUN_FIELDS
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import Columns
from tests.assets.commands import CommandResult, Home

PROJECT = Path(__file__).parents[2]
DEMO = PROJECT / "examples" / "demo_dataset.json"
SUMMEVAL = PROJECT.parent / "shared" / "data" / "summeval.json"
KEY = "sk-marked-8f3a61c09d5e7b24"

QUICK = ("--llm-retry-backoff-base", "0.005", "--llm-retry-backoff-max", "0.02")
_FEW_CALLS = (*QUICK, "--mutations-per-round", "2", "--initial-proposals", "2", "--judge", "model")
SMALL = (*_FEW_CALLS, "--generations", "1")
SHORT = (*_FEW_CALLS, "--max-generations", "1")
"""For a search that is defined in YAML, whose number of generations a command cannot change."""


@dataclass(frozen=True)
class ModelHome(Home):
    """A home whose commands have the address of a server and an API key."""

    base_url: str = ""

    def environment(self) -> Mapping[str, str]:
        return {
            **super().environment(),
            "LLM_API_KEY": KEY,
            "LLM_BASE_URL": self.base_url,
            "LLM_MODEL": "scripted",
        }

    def search(self, path: Path | str, *options: str) -> CommandResult:
        """Search a dataset; without options, with short pauses between retries."""
        return self.autosr("search", str(path), *(options or QUICK))

    def delete_tables(self) -> None:
        """Delete all results and Dagster's records, but not the cached replies."""
        for folder in ("storage", "exports", "dagster"):
            shutil.rmtree(self.root / folder)

    def best(self, name: str = "demo_dataset") -> dict[str, Columns]:
        """Return the best rubric of each prompt of a search."""
        return {key: rows[0] for key, rows in self.rows(f"{name}/best_rubrics").items()}

    def calls(self) -> pa.Table:
        """Return the recorded calls of all runs."""
        runs = self.root / "storage" / "calls"
        return pa.concat_tables(
            rows for run in sorted(runs.iterdir()) for _, rows in self.store.scan(TableName.calls(run.name))
        )


def without_run(export: Any) -> Any:
    """Return an export without the fields of its manifest that identify the run."""
    manifest = {name: value for name, value in export["run_manifest"].items() if name not in RUN_FIELDS}
    return {**export, "run_manifest": manifest}


def without_endpoint(rows: Mapping[str, Columns]) -> dict[str, Columns]:
    """Return rows without their input fingerprints, which depend on the endpoint."""
    return {key: {name: v for name, v in row.items() if name != "input_fingerprint"} for key, row in rows.items()}


def some_of_summeval(folder: Path, count: int) -> Path:
    """Write the first prompts of SummEval to a file and return its path; skip the test if SummEval is not available."""
    if not SUMMEVAL.is_file():
        pytest.skip(f"{SUMMEVAL} does not exist")
    path = folder / "summeval.json"
    path.write_text(json.dumps({"prompts": json.loads(SUMMEVAL.read_text())["prompts"][:count]}))
    return path
