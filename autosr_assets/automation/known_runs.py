"""What Dagster knows of runs: whether one is under way, and which was the last."""

from collections.abc import Mapping

import dagster as dg

from autosr_assets.automation.dead_runs import mark_dead_runs

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def unfinished_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun | None:
    """Return a run with these tags that has not ended; one whose process was killed is marked as failed first."""
    under_way = dg.RunsFilter(tags=dict(tags), statuses=UNDER_WAY)
    if instance.get_runs(filters=under_way, limit=1):
        mark_dead_runs(instance)
    return next(iter(instance.get_runs(filters=under_way, limit=1)), None)


def last_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun | None:
    """Return the run with these tags that was made last."""
    return next(iter(instance.get_runs(filters=dg.RunsFilter(tags=dict(tags)), limit=1)), None)
