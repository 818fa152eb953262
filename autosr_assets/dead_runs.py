"""Runs of this machine's command line whose process was killed: Dagster would show them as going on for ever.

They would also keep their place in the run queue.
"""

import os
import socket
from collections.abc import Mapping

import dagster as dg

HOST, PROCESS = "autosr/host", "autosr/process"


def process_tags() -> Mapping[str, str]:
    """Return the tags of a run in this process."""
    return {HOST: socket.gethostname(), PROCESS: str(os.getpid())}


def mark_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs of processes of this machine that are gone as failed, and return their ids."""
    known = instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={HOST: socket.gethostname()})
    )
    dead = [run for run in known if not _is_alive(run.tags.get(PROCESS, ""))]
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed; what it had done is stored.")
    return [run.run_id for run in dead]


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
