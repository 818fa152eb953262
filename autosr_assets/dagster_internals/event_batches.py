"""The batch size of Dagster's events; Dagster reads it from the environment."""

import os

BATCH_VARIABLE, BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE", "500"


def enable_event_batches() -> None:
    """Make Dagster hand over events in batches, in this process and its children; a size that is already set is kept.

    A storage that cannot store batches, such as Dagster's own for SQLite, still receives the events one by one.
    """
    os.environ.setdefault(BATCH_VARIABLE, BATCH_SIZE)
