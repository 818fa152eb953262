"""Runs whose process was killed: without help, Dagster would show them as running for ever and keep their queue slot.

The daemon watches the runs that it started only while it lives; after a power cut nothing watches them. Each run therefore
records its process in its tags (`runtime/run_process.py`), and `make ui` and the command line first mark the runs whose
process is gone.
"""

import socket

import dagster as dg

from autosr_assets.runtime.run_process import HOST, PROCESS, is_process_alive


def mark_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs of this machine whose process is gone as failed, and return their ids."""
    started = instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={HOST: socket.gethostname()})
    )
    dead = [
        run
        for run in started
        if not is_process_alive(run.tags.get(PROCESS, "")) and not _has_tags_of_parent(instance, run)
    ]
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed; finished work is stored.")
    return [run.run_id for run in dead]


def _has_tags_of_parent(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a retried run still has the process tag of its parent: its own process has not set one yet."""
    parent = None if run.parent_run_id is None else instance.get_run_by_id(run.parent_run_id)
    return parent is not None and parent.tags.get(PROCESS) == run.tags.get(PROCESS)
