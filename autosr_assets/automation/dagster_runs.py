"""Queries of Dagster's runs by their tags."""

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
    """Return an unfinished run with these tags, or None; runs whose process was killed are first marked as failed."""
    unfinished = dg.RunsFilter(tags=dict(tags), statuses=UNFINISHED)
    if instance.get_runs(filters=unfinished, limit=1):
        mark_dead_runs(instance)
    return next(iter(instance.get_runs(filters=unfinished, limit=1)), None)


def last_run(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> dg.DagsterRun | None:
    """Return the latest run with these tags, or None."""
    return next(iter(instance.get_runs(filters=dg.RunsFilter(tags=dict(tags)), limit=1)), None)


def add_missing_tags(instance: dg.DagsterInstance, run: dg.DagsterRun, tags: Mapping[str, str]) -> None:
    """Add the tags of a dataset or search to a run of its assets that was launched without one of our jobs.

    A run from the asset graph has no tags of a job. A run over assets of several searches stays untagged.
    """
    groups = {tags.get(SEARCH), tags[DATASET]}
    assets = run.asset_selection or frozenset()
    is_within_groups = bool(assets) and all(key.path[0] in groups for key in assets)
    if is_within_groups and not tags.keys() <= run.tags.keys():
        instance.add_run_tags(run.run_id, dict(tags))
