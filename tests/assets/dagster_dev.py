"""A real daemon and web server over a project of its own, on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import dagster as dg

from tests.assets.commands import Home

Found = TypeVar("Found")
PATIENCE = 400.0
"""Seconds after which something that does not happen is a failure; a busy machine is slow."""

_DEFINITIONS = """\
from pathlib import Path

import dagster as dg

from autosr_assets.definitions import shared


@dg.definitions
def defs():
    return dg.Definitions.merge(shared(), dg.load_from_defs_folder(path_within_project=Path(__file__).parent))
"""
_PYPROJECT = """\
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "mine"
registry_modules = ["autosr_assets.components"]
"""


@dataclass(frozen=True)
class Deployment:
    """A project, the home that its runs use, and the port of its web server."""

    project: Path
    home: Home
    port: int

    def runs(self, job: str) -> list[dg.RunRecord]:
        """Return the runs of a job, the first one first."""
        with self.home.dagster() as instance:
            return list(reversed(instance.get_run_records(filters=dg.RunsFilter(job_name=job))))

    def ended(self, job: str, count: int) -> list[dg.RunRecord]:
        """Return the runs of a job as soon as so many of them have ended."""

        def enough() -> list[dg.RunRecord] | None:
            done = [record for record in self.runs(job) if record.dagster_run.is_finished]
            return done if len(done) >= count else None

        return self.wait(f"{count} runs of {job}", enough)

    def wait(self, what: str, look: Callable[[], Found | None]) -> Found:
        """Return what `look` finds, as soon as it finds something; fail with the log of the daemon after a while."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if (found := look()) is not None:
                return found
            time.sleep(0.5)
        raise AssertionError(f"{what} did not come; dagster dev said:\n{self.log.read_text()[-6000:]}")

    @property
    def log(self) -> Path:
        return self.project / "dagster.log"


@contextmanager
def dagster_dev(folder: Path, components: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[Deployment]:
    """Start `dagster dev` on a fresh home, over a project with these components (YAML by folder), until the end."""
    project, home = folder / "project", Home(folder / "home")
    for name, yaml in components.items():
        (project / "mine" / "defs" / name).mkdir(parents=True)
        (project / "mine" / "defs" / name / "defs.yaml").write_text(yaml)
    (project / "mine" / "__init__.py").touch()
    (project / "mine" / "definitions.py").write_text(_DEFINITIONS)
    (project / "pyproject.toml").write_text(_PYPROJECT)
    known = {name: value for name, value in os.environ.items() if name != "LLM_API_KEY"}
    known |= {**home.environment(), "PYTHONPATH": str(project), "PYTHONWARNINGS": "ignore", **environment}
    made = subprocess.run(  # as `make ui` does
        [sys.executable, "-m", "autosr_assets.runtime.home"], env=known, capture_output=True, text=True, check=True
    )
    known["DAGSTER_HOME"] = made.stdout.strip()
    here = Deployment(project, home, _free_port())
    command = [str(Path(sys.executable).parent / "dagster"), "dev", "-m", "mine.definitions"]
    with here.log.open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            [*command, "-h", "127.0.0.1", "-p", str(here.port)],
            cwd=project, env=known, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        here.wait("the web server", lambda: _answers(here.port) or None)
        yield here
    finally:
        _stop(process)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the command as Ctrl-C does, and whatever of its group is left after that."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(60)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
