"""The sensor of a dataset, evaluated without a daemon: which dropped files it accepts and when it requests a run."""

import dagster as dg

from tests.assets.commands import planted, write_prompts
from tests.assets.watched_search import INCOMING_SENSOR, SEARCH_JOB, SEARCH_SENSOR, WatchedSearch


def test_a_file_is_accepted_once_it_is_unchanged_between_two_evaluations(watched: WatchedSearch) -> None:
    watched.drop(*planted("a"))
    first = watched.evaluate(INCOMING_SENSOR)
    watched.drop(*planted("a", "b"))  # the first file was only half written
    second = watched.evaluate(INCOMING_SENSOR)
    third = watched.evaluate(INCOMING_SENSOR)

    assert [len(result.run_requests or ()) for result in (first, second, third)] == [0, 0, 1]
    assert "waiting until calls.json no longer changes" in str(first.skip_message)
    assert not list((watched.home.root / "incoming").iterdir())


def test_the_same_contents_start_one_run_even_if_they_are_dropped_again_or_cursors_are_lost(
    watched: WatchedSearch,
) -> None:
    watched.drop(*planted("a", "b"))
    watched.search_dropped_file()

    watched.drop(*planted("a", "b"))
    dropped_again = [watched.evaluate(INCOMING_SENSOR) for _ in range(3)]
    watched.cursors.clear()
    without_cursors = [watched.evaluate(sensor) for sensor in (INCOMING_SENSOR, SEARCH_SENSOR) * 2]
    watched.cursors.update({INCOMING_SENSOR: "not JSON", SEARCH_SENSOR: "[1]"})
    with_invalid_cursors = [watched.evaluate(sensor) for sensor in (INCOMING_SENSOR, SEARCH_SENSOR) * 2]

    results = (*dropped_again, *without_cursors, *with_invalid_cursors)
    assert not [result.run_requests for result in results if result.run_requests]


def test_an_invalid_file_is_rejected_and_the_next_file_is_still_accepted(watched: WatchedSearch) -> None:
    watched.drop(*planted("a"))
    watched.search_dropped_file()
    (watched.home.root / "incoming" / "calls.csv").write_text("prompt_id\n1\n")
    watched.drop(*planted("a", "b"))

    watched.search_dropped_file()

    assert watched.exported() == {"a", "b"}
    rejected = watched.home.root / "rejected"
    assert {file.name for file in rejected.iterdir()} == {"calls.csv", "calls.csv.error.txt"}


def test_a_file_that_belongs_to_no_dataset_is_ignored_and_named(watched: WatchedSearch) -> None:
    write_prompts(watched.home.root / "incoming" / "unknown.json", planted("a"))

    result = [watched.evaluate(INCOMING_SENSOR) for _ in range(2)][-1]

    assert "since no dataset has their names: unknown.json" in str(result.skip_message)
    assert (watched.home.root / "incoming" / "unknown.json").is_file()


def test_a_new_file_is_read_only_after_the_run_in_progress_has_ended(watched: WatchedSearch) -> None:
    watched.drop(*planted("a"))
    watched.search_dropped_file()
    job = watched.definitions.resolve_job_def(SEARCH_JOB)
    in_progress = watched.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=job.tags)
    watched.drop(*planted("a", "b"))

    incoming = [watched.evaluate(INCOMING_SENSOR) for _ in range(3)]
    search = watched.evaluate(SEARCH_SENSOR)
    watched.instance.report_run_failed(in_progress)
    afterwards = watched.evaluate(INCOMING_SENSOR)

    assert not any(result.run_requests for result in (*incoming, search))
    assert f"read when run {in_progress.run_id} has ended" in str(incoming[-1].skip_message)
    assert in_progress.run_id in str(search.skip_message)
    assert len(afterwards.run_requests or ()) == 1
