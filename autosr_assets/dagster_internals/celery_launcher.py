"""Runs as Celery tasks, with a health check that asks the worker.

Dagster's `CeleryRunLauncher` asks only the result backend. If a worker is killed, or its machine is lost, the backend
reports its task as "started" for ever. This launcher asks the worker too, so that Dagster's run monitoring fails such a run
and run retries start it again.
"""

import time

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

REPLY_TIMEOUT_SECONDS = 3.0
SILENT_SECONDS = 30.0
"""How long a worker may be silent before its run counts as lost; a busy machine answers late."""


class HeedfulCeleryRunLauncher(CeleryRunLauncher):
    """Launches runs on Celery workers and notices workers that died."""

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return what the result backend reports, or FAILED if the worker has not confirmed the task for a while."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:  # a run in the process of a command, which has no worker
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        reported = super().check_run_worker_health(run)
        silent: dict[str, float] = self.__dict__.setdefault("_silent_since", {})
        if reported.status is not WorkerStatus.RUNNING or self._is_confirmed(task_id):
            silent.pop(run.run_id, None)
            return reported
        since = silent.setdefault(run.run_id, time.monotonic())
        if time.monotonic() - since < SILENT_SECONDS:
            return reported
        del silent[run.run_id]
        return CheckRunHealthResult(WorkerStatus.FAILED, "The Celery worker of this run no longer answers.")

    def _is_confirmed(self, task_id: str) -> bool:
        """Return whether the worker that started the task says that it is working on it."""
        info = self.celery.AsyncResult(task_id).info
        worker = info.get("hostname") if isinstance(info, dict) else None
        if worker is None:  # the task has just ended
            return True
        inspected = self.celery.control.inspect(destination=[worker], timeout=REPLY_TIMEOUT_SECONDS)
        active = inspected.active() or {}
        return any(task.get("id") == task_id for task in active.get(worker, []))
