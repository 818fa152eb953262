"""A run whose process was killed is marked as failed at the next start; a run in progress is not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from autosr_assets.automation.dead_runs import mark_dead_runs
from autosr_assets.runtime.run_process import PROCESS, process_tags

RUN = """
import sys, time
import dagster as dg
from autosr_assets.runtime.resources import BACKENDS, run_resources

@dg.op(required_resource_keys={BACKENDS})
def wait(context):
    print("under way", flush=True)
    time.sleep(120)

@dg.job(resource_defs=run_resources(), executor_def=dg.in_process_executor)
def waiting():
    wait()

waiting.execute_in_process(instance=dg.DagsterInstance.get())
"""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    with dg.DagsterInstance.get() as instance:
        yield instance


def started(instance: dg.DagsterInstance, tags: dict[str, str], parent: str | None = None) -> str:
    run = dg.DagsterRun("job", run_id=os.urandom(8).hex(), status=dg.DagsterRunStatus.STARTED, tags=tags)
    run = run.with_tags(tags) if parent is None else run._replace(parent_run_id=parent, root_run_id=parent)
    instance.add_run(run)
    return run.run_id


@pytest.mark.slow
def test_a_run_that_dagster_started_by_itself_says_which_process_it_is_and_is_marked_when_that_is_killed(
    instance: dg.DagsterInstance,
) -> None:
    with subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert "under way" in process.stdout.readline()
        alive = mark_dead_runs(instance)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    time.sleep(0.1)

    dead = mark_dead_runs(instance)

    assert (alive, len(dead)) == ([], 1)
    (run,) = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.FAILURE


def test_a_process_whose_number_was_given_again_is_gone(instance: dg.DagsterInstance) -> None:
    tags = process_tags()
    reused_id = {**tags, PROCESS: f"{os.getpid()}@1"}
    alive, dead = started(instance, dict(tags)), started(instance, reused_id)

    assert mark_dead_runs(instance) == [dead]
    assert instance.get_run_by_id(alive).status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]


def test_a_run_started_again_is_not_taken_for_the_one_it_repeats(instance: dg.DagsterInstance) -> None:
    gone = {**process_tags(), PROCESS: "999999999@1"}
    first = started(instance, gone)
    assert mark_dead_runs(instance) == [first]

    started(instance, gone, parent=first)

    assert mark_dead_runs(instance) == []
