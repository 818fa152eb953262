"""Commands that run in this process, in a home of their own."""

import atexit
import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from autosr_assets.cli.main import run
from autosr_assets.runtime.home import dagster_home
from autosr_lib.backends import Backend
from autosr_lib.domain.prompt import Prompt
from autosr_lib.search.roles import Roles
from autosr_lib.settings import BackendName
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.prompts import prompt_batches
from tests.worlds import planted_prompt


@dataclass(frozen=True)
class CommandResult:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Home:
    """The home of a machine: storage, exports, and Dagster's home."""

    root: Path

    def autosr(self, *arguments: str, roles: Roles | None = None) -> CommandResult:
        """Run a command; `roles` replace those of every backend that it opens."""
        if not (self.root / "dagster").exists():
            shutil.copytree(fresh_dagster_home(), self.root / "dagster")
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("LLM_API_KEY", raising=False)
            for name, value in self.environment().items():
                patch.setenv(name, value)
            if roles is not None:
                patch.setattr("autosr_lib.pipeline.backend_pool.open_backend", lambda *_: fake_backend(roles))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(list(arguments))
        return CommandResult(code, out.getvalue(), err.getvalue())

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables of a command, without an API key."""
        return {
            "AUTOSR_HOME": str(self.root),
            "AUTOSR_STORAGE": "",
            "DAGSTER_HOME": "",
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "COLUMNS": "200",
        }

    @property
    def store(self) -> TableStore:
        return TableStore(self.root / "storage")

    @contextlib.contextmanager
    def dagster(self) -> Iterator[dg.DagsterInstance]:
        """Open Dagster's instance, with the variable `DAGSTER_HOME` that its event log needs."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(self.root / "dagster"))
            with dg.DagsterInstance.get() as instance:
                yield instance

    def rows(self, table: str) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of a table, such as `calls/best_rubrics`, by partition key."""
        return {key: rows.to_pylist() for key, rows in self.store.scan(TableName.parse(table))}

    def export(self, name: str) -> Any:
        return json.loads((self.root / "exports" / f"{name}.json").read_text(encoding="utf-8"))

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Return the modification time and the content of every table and export."""
        folders = (self.root / "storage", self.root / "exports")
        return {
            str(path.relative_to(self.root)): (path.stat().st_mtime_ns, path.read_bytes())
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


@cache
def fresh_dagster_home() -> Path:
    """Return a Dagster home after its first use; creating its databases takes longer than most tests."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOSR_HOME", str(folder))
        patch.setenv("DAGSTER_HOME", "")
        dagster_home()
        dg.DagsterInstance.get().dispose()
    return folder / "dagster"


def fake_backend(roles: Roles) -> Backend:
    """Return a backend of these roles."""
    identity = {role: {"backend": "fake"} for role in ("initializer", "proposer", "verifier", "judge")}
    return Backend(BackendName.HEURISTIC, roles, identity)


def write_prompts(path: Path, prompts: Sequence[Prompt]) -> str:
    """Write a dataset's file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"prompts": [prompt.model_dump(mode="json") for prompt in prompts]}))
    return str(path)


def dataset_table(prompts: Sequence[Prompt], withdrawn: Sequence[Prompt] = ()) -> pa.Table:
    """Return these prompts as rows of the stored dataset."""
    return pa.Table.from_batches(prompt_batches(prompts, withdrawn))


def planted(*ids: str, candidates: int = 8) -> list[Prompt]:
    """Return prompts for the fake roles, with these ids."""
    return [planted_prompt(candidates, seed=seed, prompt_id=prompt_id) for seed, prompt_id in enumerate(ids)]
