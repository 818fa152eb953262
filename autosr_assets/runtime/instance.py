"""Dagster's instance: the records of its runs, events and schedules."""

from contextlib import ExitStack, suppress

import dagster as dg
from filelock import FileLock

from autosr_assets.dagster_internals.event_batches import enable_event_batches
from autosr_assets.runtime.home import dagster_home


def open_instance() -> dg.DagsterInstance:
    """Return the instance of Dagster's home, which is prepared on first use.

    When Dagster opens a new home, it creates the missing tables of its databases. If two processes did so at the same time,
    one would fail, so a file lock serializes them. Batches of events are enabled, since Dagster's own Postgres storage can
    store them too.
    """
    enable_event_batches()
    lock = FileLock(dagster_home() / ".lock")
    with ExitStack() as stack:
        with suppress(OSError):  # a read-only folder: no table can be created there either
            stack.enter_context(lock)
        return dg.DagsterInstance.get()
