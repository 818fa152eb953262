"""`autosr` in processes of their own, to be killed, interrupted and run side by side."""

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
LONGEST = 240.0
"""Seconds after which a command is taken for hanging; the machine may be busy."""

# Each process is forked from one that has imported all this: to import it takes seconds of every start.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "autosr_assets.cli.search",
        "autosr_assets.cli.spending",
        "autosr_assets.cli.launch",
        "autosr_assets.cli.search_view",
        __name__,
    ]
)


def forked(home: Home, *arguments: str, log: Path) -> BaseProcess:
    """Start `autosr …` in a process of its own; what it says goes to the file `log`."""
    process = _FORKS.Process(target=_command, args=(dict(home.environment()), arguments, log))
    process.start()
    return process


def _command(environment: Mapping[str, str], arguments: tuple[str, ...], log: Path) -> None:
    os.environ.update(environment)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(said, 1)
    os.dup2(said, 2)
    from autosr_assets.cli.main import run

    code = run(list(arguments))
    sys.stdout.flush()
    os._exit(code)


def opened(home: Home, *arguments: str) -> "subprocess.Popen[str]":
    """Start the installed `autosr …`."""
    environment = {**os.environ, **home.environment()}
    return subprocess.Popen(  # noqa: S603 - our own arguments
        [str(AUTOSR), *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def said_by(process: "subprocess.Popen[str]") -> CommandResult:
    """Return what a process answered, after it has ended."""
    try:
        out, err = process.communicate(timeout=LONGEST)
    finally:
        process.kill()
    return CommandResult(process.returncode, out, err)


def wait_for(what: Callable[[], bool], process: BaseProcess | None = None) -> bool:
    """Wait until something is so; return False when the process ended before."""
    ends = time.monotonic() + LONGEST
    while not what():
        if process is not None and not process.is_alive():
            return False
        assert time.monotonic() < ends, "waited too long"
        time.sleep(0.02)
    return True
