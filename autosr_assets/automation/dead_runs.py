"""Runs whose process was killed: Dagster would show them as going on for ever, and they would keep their place in the queue.

A run that the daemon started is looked after while the daemon lives; after a power cut nobody knows of it either. Each
run therefore says in its tags which process it is. `make ui` and the command line begin with marking those that are gone.
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

HOST, PROCESS = "autosr/host", "autosr/process"


def process_tags() -> Mapping[str, str]:
    """Return the tags of a run in this process."""
    pid = os.getpid()
    return {HOST: socket.gethostname(), PROCESS: f"{pid}@{_began(pid)}"}


def tag_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Say in a run's tags that it is run by this process."""
    tags = process_tags()
    if any(run.tags.get(name) != value for name, value in tags.items()):
        instance.add_run_tags(run.run_id, tags)


def mark_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs of processes of this machine that are gone as failed, and return their ids."""
    known = instance.get_runs(
        filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={HOST: socket.gethostname()})
    )
    dead = [run for run in known if not _is_alive(run.tags.get(PROCESS, "")) and not _is_beginning(instance, run)]
    for run in dead:
        instance.report_run_failed(run, "The process of this run was killed; what it had done is stored.")
    return [run.run_id for run in dead]


def _is_beginning(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether the run still has the tags of the run that it repeats: its own process has not said so yet."""
    parent = None if run.parent_run_id is None else instance.get_run_by_id(run.parent_run_id)
    return parent is not None and parent.tags.get(PROCESS) == run.tags.get(PROCESS)


def _is_alive(process: str) -> bool:
    pid, _, began = process.partition("@")
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    # Numbers are given again, in a container to the very same commands after each start.
    return not began or began == _began(int(pid))


def _began(pid: int) -> str:
    """Return when a process began, in the kernel's ticks, or nothing where the system does not say it so."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return told.rpartition(")")[2].split()[19]  # its name may hold anything, even a ")"
