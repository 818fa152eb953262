"""Dagster's records in this process."""

from contextlib import ExitStack, suppress

import dagster as dg
from filelock import FileLock

from autosr_assets.home import ask_for_batches, dagster_home


def open_instance() -> dg.DagsterInstance:
    """Return the instance of Dagster's home, which is made ready on first use.

    Dagster looks for the tables of its databases and then makes those that are not there: two processes that open a new
    home at once would both make them, and one would fail. So they open it one after the other. Events are asked for in
    batches, which Postgres can take too.
    """
    ask_for_batches()
    lock = FileLock(dagster_home() / ".lock")
    with ExitStack() as stack:
        with suppress(OSError):  # read-only: no table can be made there either
            stack.enter_context(lock)
        return dg.DagsterInstance.get()
