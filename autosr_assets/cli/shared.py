"""What the commands of the command line share."""

import logging
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from autosr_lib.storage.store import TableStore

DONE, OUR_FAULT, YOUR_FAULT, SOME_FAILED, CHECK_FAILED, STOPPED, TERMINATED = 0, 1, 2, 3, 4, 130, 143
"""Exit codes: done; a fault of ours, of yours; some prompts failed and the others are stored; a check failed; Ctrl-C;
SIGTERM."""


class Run:
    """What is known of the command that runs, also to those who see it fail."""

    is_debug = False


def _set_debug(context: typer.Context, asked: bool) -> None:
    if asked:
        context.ensure_object(Run).is_debug = True


Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an error.", callback=_set_debug, is_eager=True, metavar=""),
]


class _Warnings(logging.Handler):
    """Tells what the library warns of, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        told = " ".join(record.getMessage().split())
        typer.echo(f"autosr: {record.levelname.lower()}: {told}", err=True)  # above the progress, not into it


def tell_warnings(*, is_verbose: bool) -> None:
    """Show on stderr what the library warns of, and with `is_verbose` what it does."""
    logger = logging.getLogger("autosr_lib")
    logger.setLevel(logging.INFO if is_verbose else logging.WARNING)
    logger.handlers = [_Warnings()]


def open_store() -> "TableStore":
    """Return the tables of this machine's home."""
    from autosr_assets.runtime.home import storage_root  # noqa: PLC0415
    from autosr_lib.storage.store import TableStore  # noqa: PLC0415

    return TableStore(storage_root())


def stdout() -> "Console":
    """Return where results are printed."""
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False)
