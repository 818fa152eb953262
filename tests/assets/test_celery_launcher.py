"""Whether the worker of a run still lives, by what the result backend and the worker itself say."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from autosr_assets.dagster_internals import celery_launcher
from autosr_assets.dagster_internals.celery_launcher import HeedfulCeleryRunLauncher

TASK, WORKER = "task-1", "worker-1@host"
RUN = dg.DagsterRun(job_name="j", tags={DAGSTER_CELERY_TASK_ID_TAG: TASK})


class Workers:
    """What workers answer when they are asked what they are at; None is silence."""

    def __init__(self, tasks: Sequence[str] | None) -> None:
        self.tasks = tasks

    def inspect(self, destination: list[str], timeout: float) -> "Workers":
        assert (destination, timeout) == ([WORKER], celery_launcher.REPLY_TIMEOUT_SECONDS)
        return self

    def active(self) -> dict[str, list[dict[str, Any]]] | None:
        return None if self.tasks is None else {WORKER: [{"id": task} for task in self.tasks]}


@pytest.fixture
def launcher() -> HeedfulCeleryRunLauncher:
    found = HeedfulCeleryRunLauncher("dagster", broker="memory://", backend="cache+memory://")
    found.celery.backend.store_result(TASK, {"pid": 1, "hostname": WORKER}, "STARTED")
    return found


def _statuses(launcher: HeedfulCeleryRunLauncher, workers: Workers, looks: int = 2) -> list[WorkerStatus]:
    launcher.celery.__dict__["control"] = workers
    return [launcher.check_run_worker_health(RUN).status for _ in range(looks)]


def test_a_worker_that_is_busy_with_the_run_is_well(
    launcher: HeedfulCeleryRunLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_launcher, "SILENT_SECONDS", 0)

    assert _statuses(launcher, Workers([TASK])) == [WorkerStatus.RUNNING] * 2


@pytest.mark.parametrize("tasks", [None, [], ["another"]])
def test_one_that_is_gone_or_began_anew_fails_the_run_but_not_at_the_first_look(
    launcher: HeedfulCeleryRunLauncher, monkeypatch: pytest.MonkeyPatch, tasks: list[str] | None
) -> None:
    patient = _statuses(launcher, Workers(tasks))
    monkeypatch.setattr(celery_launcher, "SILENT_SECONDS", 0)

    assert patient == [WorkerStatus.RUNNING] * 2
    assert _statuses(launcher, Workers(tasks), looks=1) == [WorkerStatus.FAILED]


def test_one_that_answers_again_is_forgiven(
    launcher: HeedfulCeleryRunLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    _statuses(launcher, Workers(None))
    _statuses(launcher, Workers([TASK]))
    monkeypatch.setattr(celery_launcher, "SILENT_SECONDS", 3600)

    assert _statuses(launcher, Workers(None)) == [WorkerStatus.RUNNING] * 2


def test_a_task_that_failed_fails_the_run_at_once(launcher: HeedfulCeleryRunLauncher) -> None:
    launcher.celery.backend.store_result(TASK, RuntimeError("killed"), "FAILURE")

    assert _statuses(launcher, Workers(None), looks=1) == [WorkerStatus.FAILED]


def test_a_run_in_the_process_of_a_command_line_has_no_worker_to_ask(launcher: HeedfulCeleryRunLauncher) -> None:
    assert launcher.check_run_worker_health(dg.DagsterRun(job_name="j")).status is WorkerStatus.RUNNING
