"""A search of forty prompts in eight chunks on two workers that share only services, compared with one machine."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autosr_assets.records.manifest import RUN_FIELDS
from tests.distributed.cluster import ASSETS, BIN, CHUNK, DEFINITIONS, Cluster, cluster
from tests.distributed.services import BUCKET, Services, bucket, send_signal, wait_for
from tests.worlds import planted_prompt

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

NAME = "forty"
PROMPTS = 40
PATH = f"s3://{BUCKET}/incoming/{NAME}.json"


@pytest.fixture
def on_cluster(services: Services, tmp_path: Path) -> Iterator[Cluster]:
    prompts = [planted_prompt(4, seed=number, prompt_id=f"p{number:02d}") for number in range(PROMPTS)]
    content = json.dumps({"prompts": [prompt.model_dump(mode="json") for prompt in prompts]})
    bucket(services.s3).pipe_file(PATH, content.encode())
    definitions = tmp_path / "forty.py"
    definitions.write_text(DEFINITIONS.format(path=PATH, chunk=CHUNK, name=NAME, scope="prompt_local"))
    with cluster(services, tmp_path / "cluster", definitions) as running:
        yield running


def test_two_workers_one_of_them_killed_write_the_same_bytes_as_one_machine(
    on_cluster: Cluster, tmp_path: Path
) -> None:
    on_cluster.read_dataset(NAME)
    backfill = on_cluster.backfill([[NAME, asset] for asset in ASSETS])
    killed_run = _kill_first_worker(on_cluster)
    on_cluster.wait(backfill, 600)

    runs = {run["runId"]: run for run in on_cluster.runs()}
    retries = [run for run in runs.values() if run["parentRunId"] == killed_run]
    assert runs[killed_run]["status"] == "FAILURE"
    assert [run["status"] for run in retries] == ["SUCCESS"]
    chunks = [
        run for run in runs.values() if "dagster/asset_partition_range_start" in run["tags"] and run not in retries
    ]
    assert len(chunks) == PROMPTS / CHUNK
    assert _results_in_bucket(on_cluster.services) == _search_on_one_machine(on_cluster, tmp_path / "alone")


def _kill_first_worker(on_cluster: Cluster) -> str:
    """Kill the first worker and its processes while it executes a run that has stored something; return the id of the run."""
    files = bucket(on_cluster.services.s3)
    run_id = ""

    def executes_run() -> bool:
        nonlocal run_id
        log = on_cluster.folder / "worker-1.log"
        if "received" not in log.read_text():
            return False
        for run in on_cluster.runs():
            if run["status"] == "STARTED" and run["tags"].get("dagster-celery/task_id", "?") in log.read_text():
                run_id = run["runId"]
        return bool(run_id) and bool(files.glob(f"{BUCKET}/home/storage/{NAME}/initial_rubrics/*"))

    wait_for("a run of the first worker", executes_run, 120, on_cluster.folder / "daemon.log")
    send_signal(on_cluster.workers["worker-1"], signal.SIGKILL)
    return run_id


def _search_on_one_machine(on_cluster: Cluster, home: Path) -> dict[str, Any]:
    """Return the results of `autosr search` with a separate home, for the same dataset in the bucket."""
    alone = {"AUTOSR_HOME": str(home), "DAGSTER_HOME": "", "AUTOSR_CACHE": "", "AUTOSR_LIMITS": ""}
    subprocess.run(  # noqa: S603
        [str(BIN / "autosr"), "search", PATH, "--name", NAME, "--generations", "1"],
        env={**os.environ, **on_cluster.machine("alone"), **alone},
        check=True,
        capture_output=True,
        timeout=400,
    )
    tables = {path.relative_to(home / "storage").as_posix(): path for path in (home / "storage").rglob("*.parquet")}
    export = json.loads((home / "exports" / f"{NAME}.json").read_text())
    return _without_runs({name: path.read_bytes() for name, path in tables.items()}, export)


def _results_in_bucket(services: Services) -> dict[str, Any]:
    files, home = bucket(services.s3), f"{BUCKET}/home"
    paths = {path.removeprefix(f"{home}/storage/"): path for path in files.find(f"{home}/storage")}
    export = json.loads(files.cat_file(f"{home}/exports/{NAME}.json"))
    return _without_runs({name: files.cat_file(path) for name, path in paths.items()}, export)


def _without_runs(tables: dict[str, bytes], export: dict[str, Any]) -> dict[str, Any]:
    """Return tables and export without the parts that describe the runs instead of the results."""
    for name in RUN_FIELDS:
        export["run_manifest"].pop(name, None)
    run_tables = (f"{NAME}/rubric_export", "runs/")
    return {"export": export, **{name: rows for name, rows in tables.items() if not name.startswith(run_tables)}}
