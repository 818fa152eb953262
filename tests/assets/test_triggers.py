"""The sensor and the schedule of a search, evaluated without a daemon: which runs they request."""

from pathlib import Path

import dagster as dg

from autosr_lib.search.settings import Scope
from autosr_lib.storage.table_names import TableName
from tests.assets.commands import planted
from tests.assets.watched_search import DATASET_JOB, EXPORT_JOB, SEARCH_JOB, SEARCH_SENSOR, WatchedSearch


def test_a_dropped_file_is_searched_and_exported_in_one_run(watched: WatchedSearch) -> None:
    watched.drop(*planted("a", "b", "c"))

    runs = watched.search_dropped_file()

    assert runs == 1
    assert watched.exported() == {"a", "b", "c"}
    assert "no new file" in str(watched.evaluate(SEARCH_SENSOR).skip_message)


def test_only_the_changed_and_new_prompts_of_a_changed_file_are_computed(watched: WatchedSearch) -> None:
    a, b, c, d = planted("a", "b", "c", "d")
    watched.drop(a, b, c)
    watched.search_dropped_file()
    before = watched.home.files()
    earlier_requests = len(watched.verifier.requests)

    changed = b.model_copy(update={"prompt": "Another task."})
    watched.drop(a, changed, c, d)
    watched.search_dropped_file()

    written = {name for name, state in watched.home.files().items() if before.get(name) != state}
    rows = {name for name in written if name.startswith("storage/evolved/") and name.count("/") == 3}
    assert {Path(name).stem for name in rows} == {"b", "d"}
    assert {request.prompt_text for request in watched.verifier.requests[earlier_requests:]} == {
        "Another task.",
        d.prompt,
    }
    assert watched.exported() == {"a", "b", "c", "d"}


def test_a_return_to_an_earlier_file_is_a_change(watched: WatchedSearch) -> None:
    watched.drop(*planted("a", "b"))
    watched.search_dropped_file()
    watched.drop(*planted("a"))
    watched.search_dropped_file()
    assert watched.exported() == {"a"}

    watched.drop(*planted("a", "b"))
    watched.search_dropped_file()

    assert watched.exported() == {"a", "b"}


def test_a_removed_prompt_keeps_its_results_but_is_marked_as_withdrawn_and_not_exported(watched: WatchedSearch) -> None:
    watched.drop(*planted("a", "b"))
    watched.search_dropped_file()
    before = watched.home.rows("evolved/best_rubrics")["b"]

    watched.drop(*planted("a"))
    runs = watched.search_dropped_file()

    rows = watched.home.store.stored(TableName.dataset("calls")).read(["prompt_id", "status"]).to_pylist()
    assert {row["prompt_id"]: row["status"] for row in rows} == {"a": "done", "b": "withdrawn"}
    assert watched.home.rows("evolved/best_rubrics")["b"] == before
    assert (runs, watched.exported()) == (1, {"a"})  # nothing to search, only to export


def test_many_prompts_are_searched_in_ranges_and_then_exported_and_checked_once(watched: WatchedSearch) -> None:
    watched.chunk_size = 2
    watched.drop(*planted("a", "b", "c", "d", "e"))

    requests = watched.read_dropped_file().run_requests or []
    ranges = [
        (request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"])
        for request in requests
    ]
    watched.run(requests, SEARCH_JOB)
    afterwards = [watched.evaluate(SEARCH_SENSOR) for _ in range(2)]
    results_before_export = watched.count_results("every_prompt_has_a_rubric")
    watched.run(afterwards[0].run_requests or [], SEARCH_JOB)

    assert ranges == [("a", "b"), ("c", "d"), ("e", "e")]
    assert [[request.job_name for request in result.run_requests or ()] for result in afterwards] == [[EXPORT_JOB], []]
    assert (results_before_export, watched.count_results("every_prompt_has_a_rubric")) == (0, 1)
    assert watched.exported() == {"a", "b", "c", "d", "e"}


def test_in_scope_global_batch_one_run_covers_all_prompts(watched: WatchedSearch) -> None:
    watched.chunk_size, watched.scope = 2, Scope.GLOBAL_BATCH
    watched.drop(*planted("a", "b", "c"))

    assert watched.search_dropped_file() == 1
    assert watched.exported() == {"a", "b", "c"}


def test_a_dataset_without_any_searchable_prompt_fails_its_run_and_starts_no_search(watched: WatchedSearch) -> None:
    (a,) = planted("a")
    equal = tuple(candidate.model_copy(update={"metadata": {"quality": 0.5}}) for candidate in a.candidates)
    watched.drop(a.model_copy(update={"candidates": equal}))

    result = watched.read_dropped_file()

    (reading,) = watched.instance.get_runs(dg.RunsFilter(job_name=DATASET_JOB))
    assert reading.status == dg.DagsterRunStatus.FAILURE
    assert not result.run_requests
    assert f"run {reading.run_id}, which reads calls, did not succeed" in str(result.skip_message)


def test_a_failed_prompt_is_repeated_only_by_the_schedule(watched: WatchedSearch) -> None:
    watched.failing = frozenset({"b"})
    watched.drop(*planted("a", "b", "c"))
    watched.search_dropped_file()
    watched.failing = frozenset()
    assert not watched.evaluate(SEARCH_SENSOR).run_requests

    result = watched.evaluate_schedule()
    ranges = [request.tags["dagster/asset_partition_range_start"] for request in result.run_requests]
    watched.run(result.run_requests, SEARCH_JOB)

    assert ranges == ["b"]
    assert watched.home.export("evolved")["failed_prompts"] == {}
    assert "nothing to search: 3 prompts up to date" in str(watched.evaluate_schedule().skip_message)


def test_the_schedule_is_off_by_default_and_skips_a_dataset_that_was_not_read(watched: WatchedSearch) -> None:
    schedule = watched.definitions.resolve_schedule_def("evolved_nightly")

    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert "has not been read yet" in str(watched.evaluate_schedule().skip_message)
