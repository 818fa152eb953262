"""What Dagster knows of runs: whether one is under way, and which was the last."""

from collections.abc import Mapping

import dagster as dg

from autosr_assets.automation.dead_runs import mark_dead_runs
from autosr_assets.automation.run_tags import DATASET, SEARCH

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


def tag_untagged(instance: dg.DagsterInstance, run: dg.DagsterRun, tags: Mapping[str, str]) -> None:
    """Say what a run is about that was launched from the graph of assets, and so has the tags of no job.

    One over assets of several searches is about none of them.
    """
    names = {tags.get(SEARCH), tags[DATASET]}
    is_one = bool(run.asset_selection) and all(key.path[0] in names for key in run.asset_selection or ())
    if is_one and not tags.keys() <= run.tags.keys():
        instance.add_run_tags(run.run_id, dict(tags))
