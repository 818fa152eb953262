"""Dagster's records of runs: whether one is in progress, and which was the last."""

from collections.abc import Mapping

import dagster as dg

from autosr_assets.automation.dead_runs import mark_dead_runs
from autosr_assets.runtime.run_tags import DATASET, SEARCH

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def unfinished_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun | None:
    """Return an unfinished run with these tags, after marking runs whose process was killed as failed."""
    unfinished = dg.RunsFilter(tags=dict(tags), statuses=UNFINISHED)
    if instance.get_runs(filters=unfinished, limit=1):
        mark_dead_runs(instance)
    return next(iter(instance.get_runs(filters=unfinished, limit=1)), None)


def last_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun | None:
    """Return the latest run with these tags."""
    return next(iter(instance.get_runs(filters=dg.RunsFilter(tags=dict(tags)), limit=1)), None)


def tag_untagged(instance: dg.DagsterInstance, run: dg.DagsterRun, tags: Mapping[str, str]) -> None:
    """Add the tags of a dataset or search to a run that was launched from the asset graph, and so without those of a job.

    A run over assets of several searches gets none.
    """
    names = {tags.get(SEARCH), tags[DATASET]}
    is_about_one = bool(run.asset_selection) and all(key.path[0] in names for key in run.asset_selection or ())
    if is_about_one and not tags.keys() <= run.tags.keys():
        instance.add_run_tags(run.run_id, dict(tags))
