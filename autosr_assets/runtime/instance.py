"""Dagster's instance: the records of its runs, events and schedules."""

from contextlib import ExitStack, suppress

import dagster as dg
from filelock import FileLock

from autosr_assets.dagster_internals.event_batches import enable_event_batches
from autosr_assets.runtime.home import dagster_home


def open_instance() -> dg.DagsterInstance:
    """Return the instance of Dagster's home, which is prepared on first use.

    Dagster checks which tables its databases have, then creates the missing ones. Of two processes that open a new home at
    the same time, both would create them and one would fail, so a file lock lets them in one after the other. Events are
    handed over in batches, which Dagster's Postgres storage can store too.
    """
    enable_event_batches()
    lock = FileLock(dagster_home() / ".lock")
    with ExitStack() as stack:
        with suppress(OSError):  # read-only: no table can be created there either
            stack.enter_context(lock)
        return dg.DagsterInstance.get()
