"""Helpers of several commands: the store and the terminal."""

import json
import logging
from typing import Any

import typer
from rich.console import Console

from autosr_assets.runtime.home import storage_root
from autosr_lib.storage.store import TableStore


class _WarningPrinter(logging.Handler):
    """Prints log records on stderr, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        message = " ".join(record.getMessage().split())
        typer.echo(
            f"autosr: {record.levelname.lower()}: {message}", err=True
        )  # rich redirects stderr, which keeps the line above progress bars


def show_warnings(*, is_verbose: bool) -> None:
    """Print the library's warnings on stderr; with `is_verbose`, also its messages of level INFO."""
    logger = logging.getLogger("autosr_lib")
    logger.setLevel(logging.INFO if is_verbose else logging.WARNING)
    logger.handlers = [_WarningPrinter()]


def open_store() -> TableStore:
    """Return the store of tables that the environment configures."""
    return TableStore(storage_root())


def stdout() -> Console:
    """Return the console for results."""
    return Console(highlight=False)


def print_json(value: Any) -> None:
    """Print a value as JSON, for scripts."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))
