"""`autosr` in separate processes, which tests kill, interrupt and run concurrently."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.assets.commands import CommandResult, Home

AUTOSR = Path(sys.executable).parent / "autosr"
TIMEOUT_SECONDS = 240.0
"""Seconds after which a command counts as hanging; the machine may be busy."""

# Processes are forked from a server that has imported these modules: importing them takes seconds.
_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload(
    [
        "autosr_assets.cli.search",
        "autosr_assets.cli.spending",
        "autosr_assets.cli.launch",
        "autosr_assets.cli.search_view",
        __name__,
    ]
)


def fork_autosr(home: Home, *arguments: str, log: Path) -> BaseProcess:
    """Start `autosr …` in a forked process, which writes its output to `log`."""
    process = _FORKSERVER.Process(target=_run_command, args=(dict(home.environment()), arguments, log))
    process.start()
    return process


def _run_command(environment: Mapping[str, str], arguments: tuple[str, ...], log: Path) -> None:
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    from autosr_assets.cli.main import run

    code = run(list(arguments))
    sys.stdout.flush()
    os._exit(code)


def start_autosr(home: Home, *arguments: str) -> "subprocess.Popen[str]":
    """Start the installed `autosr …`."""
    environment = {**os.environ, **home.environment()}
    return subprocess.Popen(  # noqa: S603 - our own arguments
        [str(AUTOSR), *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result_of(process: "subprocess.Popen[str]") -> CommandResult:
    """Wait until a process ends, and return its exit code and output."""
    try:
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
    return CommandResult(process.returncode, out, err)


def wait_until(condition: Callable[[], bool], process: BaseProcess | None = None) -> bool:
    """Wait until the condition holds and return True, or return False if the process ends before."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if process is not None and not process.is_alive():
            return False
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return True
