"""Runs as Celery tasks, each a unit of work for a worker, with an eye on whether its worker still lives.

Dagster's own `CeleryRunLauncher` asks the result backend, where the task of a worker that was killed, or whose machine is
gone, says "started" for ever. Here the worker is asked as well, so that Dagster's run monitoring fails such a run and its
run retries start it again.
"""

import time

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

ANSWER_SECONDS = 3.0
SILENT_SECONDS = 30.0
"""How long a worker may be silent before its run counts as lost; a busy machine answers late."""


class HeedfulCeleryRunLauncher(CeleryRunLauncher):
    """Launches runs on Celery workers and notices workers that died."""

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return what the result backend says, and a failure where the worker has not known the task for a while."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:  # a run in the process of a command line, which no worker has
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        known = super().check_run_worker_health(run)
        silent: dict[str, float] = self.__dict__.setdefault("_silent_since", {})
        if known.status is not WorkerStatus.RUNNING or self._is_at_work(task_id):
            silent.pop(run.run_id, None)
            return known
        since = silent.setdefault(run.run_id, time.monotonic())
        if time.monotonic() - since < SILENT_SECONDS:
            return known
        del silent[run.run_id]
        return CheckRunHealthResult(WorkerStatus.FAILED, "The Celery worker of this run does not answer any more.")

    def _is_at_work(self, task_id: str) -> bool:
        """Return whether the worker that began the task says that it is busy with it."""
        begun = self.celery.AsyncResult(task_id).info
        worker = begun.get("hostname") if isinstance(begun, dict) else None
        if worker is None:  # it has just ended
            return True
        inspected = self.celery.control.inspect(destination=[worker], timeout=ANSWER_SECONDS)
        active = inspected.active() or {}
        return any(task.get("id") == task_id for task in active.get(worker, []))
