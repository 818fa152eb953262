"""Tags that identify the process that executes a run."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

HOST, PROCESS = "autosr/host", "autosr/process"


def process_tags() -> Mapping[str, str]:
    """Return the tags of a run that this process executes: its host, and `PID@START`."""
    pid = os.getpid()
    return {HOST: socket.gethostname(), PROCESS: f"{pid}@{_start_time(pid)}"}


def tag_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Record in a run's tags that this process executes it."""
    tags = process_tags()
    if any(run.tags.get(name) != value for name, value in tags.items()):
        instance.add_run_tags(run.run_id, tags)


def is_process_alive(process: str) -> bool:
    """Return whether the process of a run's tag, `PID@START`, still exists on this machine."""
    pid, _, start_time = process.partition("@")
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    # Process ids are reused; in a container the same command gets the same id after each restart.
    return not start_time or start_time == _start_time(int(pid))


def _start_time(pid: int) -> str:
    """Return when a process started, in kernel ticks, or "" where the system does not provide it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # the process name may contain anything, even ")"
