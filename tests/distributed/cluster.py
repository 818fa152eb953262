"""A cluster of processes instead of machines: each has its own folder, and they share only services."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.distributed.services import Services, free_port, is_listening, process, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
CHUNK = 5
ASSETS = ("preferences", "initial_rubrics", "generation_01", "best_rubrics", "rubric_export")

DEFINITIONS = """\
import dagster as dg

from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.definitions import shared
from autosr_lib.settings import DatasetRunSettings

defs = dg.Definitions.merge(
    shared(),
    PromptDataset(settings=DatasetRunSettings(path={path!r}), chunk_size={chunk}).definitions({name!r}),
    RubricSearch(dataset={name!r}, scope={scope!r}, generations=1, chunk_size={chunk}).definitions({name!r}),
)
"""

_LAUNCH = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_STATUS = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }
"""
_RUNS = """
query { runsOrError { ... on Runs { results {
  runId status startTime endTime tags { key value } parentRunId
} } } }
"""


@dataclass
class Cluster:
    """A daemon, a web server and workers, which share the `services`."""

    services: Services
    folder: Path
    definitions: Path
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    port: int = 0

    def machine(self, name: str) -> dict[str, str]:
        """Create the Dagster home of a machine, with the cluster's `dagster.yaml`, and return its environment variables."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        (home / "dagster.yaml").write_text(yaml.safe_dump(_test_config()))
        return {
            **self.services.environment(),
            "AUTOSR_STORAGE": "",
            "DAGSTER_HOME": str(home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "LLM_API_KEY": "",
        }

    def read_dataset(self, name: str) -> None:
        """Materialize the asset `dataset`, which registers the prompts."""
        command = [str(BIN / "dagster"), "asset", "materialize", "-f", str(self.definitions)]
        subprocess.run(  # noqa: S603
            [*command, "--select", f'key:"{name}/dataset"'],
            env={**os.environ, **self.machine("launcher")},
            check=True,
            capture_output=True,
            timeout=120,
            cwd=ROOT,
        )

    def graphql(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        """Return the response of the web server to a GraphQL query."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
                response = json.load(reply)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        assert "errors" not in response, response
        return response["data"]

    def backfill(self, assets: list[list[str]]) -> str:
        """Start the backfill that "Materialize all" starts in the web UI, and return its id."""
        params = {"assetSelection": [{"path": path} for path in assets], "allPartitions": True}
        launched = self.graphql(_LAUNCH, {"params": params})["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        return str(self.graphql(_STATUS, {"id": backfill})["partitionBackfillOrError"]["status"])

    def runs(self) -> list[dict[str, Any]]:
        runs = self.graphql(_RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]

    def wait(self, backfill: str, seconds: float) -> None:
        """Wait until a backfill ends, and check that it succeeded."""
        final = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED")
        deadline = time.monotonic() + seconds
        while (status := self.backfill_status(backfill)) not in final:
            assert time.monotonic() < deadline, (status, [(run["runId"], run["status"]) for run in self.runs()])
            time.sleep(1)
        assert status == "COMPLETED_SUCCESS", [(run["runId"], run["status"]) for run in self.runs()]


def _test_config() -> dict[str, Any]:
    """Return `deploy/dagster.yaml` for two workers, with frequent run monitoring so that tests do not wait."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
    config["run_monitoring"]["poll_interval_seconds"] = 3
    config["concurrency"]["runs"]["max_concurrent_runs"] = 2
    return config


@contextlib.contextmanager
def cluster(services: Services, folder: Path, definitions: Path, workers: int = 2) -> Iterator[Cluster]:
    """Run a daemon, a web server and workers with the commands of `deploy/compose`, and yield the cluster."""
    folder.mkdir()
    running = Cluster(services, folder, definitions)
    with contextlib.ExitStack() as stack:
        code = free_port()
        location = [str(BIN / "dagster"), "code-server", "start", "-h", "127.0.0.1", "-p", str(code)]
        location += ["-f", str(definitions), "-d", str(ROOT)]
        stack.enter_context(process(location, folder / "code.log", running.machine("code"), ROOT))
        wait_for("the code location", lambda: is_listening(code), log=folder / "code.log")
        workspace = folder / "workspace.yaml"
        server = {"host": "127.0.0.1", "port": code, "location_name": "autosr"}
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        running.port = free_port()
        web = [str(BIN / "dagster-webserver"), "-h", "127.0.0.1", "-p", str(running.port), "-w", str(workspace)]
        daemon = [str(BIN / "dagster-daemon"), "run", "-w", str(workspace)]
        stack.enter_context(process(web, folder / "web.log", running.machine("web"), folder))
        stack.enter_context(process(daemon, folder / "daemon.log", running.machine("daemon"), folder))
        for number in range(workers):
            name = f"worker-{number + 1}"
            command = [str(BIN / "celery"), "-A", "dagster_celery.app", "worker", "-Q", "dagster", "-n", f"{name}@%h"]
            command += ["--concurrency", "1", "--disable-prefetch", "--loglevel", "info"]
            log = folder / f"{name}.log"
            running.workers[name] = stack.enter_context(process(command, log, running.machine(name), ROOT))
        wait_for("the web server", lambda: is_listening(running.port), log=folder / "web.log")
        yield running
    shutil.rmtree(folder / "launcher", ignore_errors=True)
