"""What Dagster knows about runs: tags that are added to a run, and runs whose process was killed."""

import socket

import dagster as dg

from autosr_assets.automation.dagster_runs import add_missing_tags, unfinished_run
from tests.assets.commands import planted
from tests.assets.watched_search import SEARCH_JOB, WatchedSearch

SEARCH_TAGS = ("autosr/dataset", "autosr/search", "autosr/mode", "autosr/settings")


def test_a_killed_run_of_the_command_line_does_not_count_as_unfinished(watched: WatchedSearch) -> None:
    job = watched.definitions.resolve_job_def(SEARCH_JOB)
    killed_process = {"autosr/host": socket.gethostname(), "autosr/process": "999999999"}
    run = watched.instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={**job.tags, **killed_process}
    )

    assert unfinished_run(watched.instance, {"autosr/search": "evolved"}) is None
    stored_run = watched.instance.get_run_by_id(run.run_id)
    assert stored_run is not None
    assert stored_run.status == dg.DagsterRunStatus.FAILURE


def test_a_run_of_single_assets_gets_the_tags_that_a_job_would_have_set(watched: WatchedSearch) -> None:
    watched.drop(*planted("a"))
    watched.search_dropped_file()
    asset_job = watched.definitions.resolve_implicit_global_asset_job_def()

    def tags_of(*keys: str) -> dict[str, str]:
        result = asset_job.execute_in_process(
            instance=watched.instance,
            asset_selection=[dg.AssetKey(key.split("/")) for key in keys],
            partition_key="a",
        )
        run = watched.instance.get_run_by_id(result.run_id)
        return {} if run is None else {name: run.tags[name] for name in run.tags if name in SEARCH_TAGS}

    job_tags = watched.definitions.resolve_job_def(SEARCH_JOB).tags
    assert tags_of("evolved/initial_rubrics") == {name: job_tags[name] for name in SEARCH_TAGS}
    assert tags_of("calls/preferences", "evolved/initial_rubrics") == {name: job_tags[name] for name in SEARCH_TAGS}
    assert tags_of("calls/preferences") == {"autosr/dataset": "calls"}


def test_a_run_over_assets_of_two_searches_stays_untagged(watched: WatchedSearch) -> None:
    both = frozenset({dg.AssetKey(["evolved", "best_rubrics"]), dg.AssetKey(["refined", "best_rubrics"])})
    run = watched.instance.add_run(dg.DagsterRun("__ASSET_JOB", "0" * 32, asset_selection=both))

    add_missing_tags(watched.instance, run, {"autosr/dataset": "calls", "autosr/search": "evolved"})

    (stored_run,) = watched.instance.get_runs()
    assert not set(SEARCH_TAGS) & set(stored_run.tags)
