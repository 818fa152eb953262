"""Marks runs whose process was killed as failed. Otherwise they would count as running and keep their queue slot for ever.

Dagster's daemon monitors a run only while the daemon itself is running; after a power cut, nothing monitors the runs that
were in progress. Each run therefore records its process in its tags (`runtime/run_process.py`). `make ui`, the command line,
the sensors and the schedules first mark the runs of this machine whose process no longer exists.
"""

import socket

import dagster as dg

from autosr_assets.runtime.run_process import HOST, PROCESS, is_process_alive


def mark_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs of this machine whose process no longer exists as failed, and return their ids."""
    started = instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={HOST: socket.gethostname()})
    )
    dead = [
        run
        for run in started
        if not is_process_alive(run.tags.get(PROCESS, "")) and not _has_parent_process_tag(instance, run)
    ]
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed. Finished work is stored.")
    return [run.run_id for run in dead]


def _has_parent_process_tag(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a retried run still has the process tag that it inherited, since its own process has not set one yet."""
    parent = None if run.parent_run_id is None else instance.get_run_by_id(run.parent_run_id)
    return parent is not None and parent.tags.get(PROCESS) == run.tags.get(PROCESS)
