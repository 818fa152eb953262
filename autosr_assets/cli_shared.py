"""What the commands of the command line share."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from autosr_lib.storage.store import TableStore

DONE, OUR_FAULT, YOUR_FAULT, SOME_FAILED, STOPPED = 0, 1, 2, 3, 130
"""Exit codes: done; a fault of ours, of yours; some prompts failed and the others are stored; stopped by Ctrl-C."""


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


def open_store() -> "TableStore":
    """Return the tables of this machine's home."""
    from autosr_assets.home import storage_root  # noqa: PLC0415
    from autosr_lib.storage.store import TableStore  # noqa: PLC0415

    return TableStore(storage_root())


def stdout() -> "Console":
    """Return where results are printed."""
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False)
