"""A home whose commands use a scripted model server, and the parts of its results that do not depend on the run."""

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
_FEW_PROPOSALS = (*QUICK, "--mutations-per-round", "2", "--initial-proposals", "2", "--judge", "model")
SMALL = (*_FEW_PROPOSALS, "--generations", "1")
SMALL_OF_GRAPH = (*_FEW_PROPOSALS, "--max-generations", "1")
"""Options of a small search that a YAML file defines: the graph determines its `--generations`."""


@dataclass(frozen=True)
class ModelHome(Home):
    """A home whose commands send requests to a model server, with an API key."""

    base_url: str = ""

    def environment(self) -> Mapping[str, str]:
        return {
            **super().environment(),
            "LLM_API_KEY": KEY,
            "LLM_BASE_URL": self.base_url,
            "LLM_MODEL": "scripted",
        }

    def search(self, path: Path | str, *options: str) -> CommandResult:
        return self.autosr("search", str(path), *(options or QUICK))

    def delete_tables(self) -> None:
        """Remove all results and Dagster's records, and keep the reply cache."""
        for folder in ("storage", "exports", "dagster"):
            shutil.rmtree(self.root / folder)

    def best(self, name: str = "demo_dataset") -> dict[str, Columns]:
        """Return the row of each prompt's best rubric, by prompt id."""
        return {key: rows[0] for key, rows in self.rows(f"{name}/best_rubrics").items()}

    def best_rubric_files(self, name: str = "demo_dataset") -> dict[str, bytes]:
        """Return the content of the files of the best rubrics, by file name."""
        folder = self.root / "storage" / name / "best_rubrics"
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def calls(self) -> pa.Table:
        """Return the call records of all runs."""
        runs = self.root / "storage" / "calls"
        return pa.concat_tables(
            rows for run in sorted(runs.iterdir()) for _, rows in self.store.scan(TableName.calls(run.name))
        )


def without_run(export: Any) -> Any:
    """Return an export without the parts of its manifest that differ between equal runs."""
    manifest = {name: value for name, value in export["run_manifest"].items() if name not in RUN_FIELDS}
    return {**export, "run_manifest": manifest}


def without_endpoint(rows: Mapping[str, Columns]) -> dict[str, Columns]:
    """Return rows without their fingerprints, which depend on the address of the endpoint."""
    return {
        key: {name: value for name, value in row.items() if name != "input_fingerprint"} for key, row in rows.items()
    }


def write_summeval(folder: Path, prompts: int) -> Path:
    """Write the first prompts of SummEval to a file, or skip the test if the dataset is missing."""
    if not SUMMEVAL.is_file():
        pytest.skip(f"{SUMMEVAL} does not exist")
    path = folder / "summeval.json"
    path.write_text(json.dumps({"prompts": json.loads(SUMMEVAL.read_text())["prompts"][:prompts]}))
    return path
