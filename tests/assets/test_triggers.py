"""What starts a search by itself, tick by tick and without a daemon: its requests are run in this process."""

import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from autosr_assets.automation.dagster_runs import tag_untagged, unfinished_run
from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.definitions import shared
from autosr_lib.domain.prompt import Prompt
from autosr_lib.search.roles import Roles
from autosr_lib.search.settings import Scope
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.table_names import TableName
from tests.assets.commands import Home, fake_backend, fresh_dagster_home, planted, write_prompts
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier

READ, SEARCH, EXPORT = "calls_dataset", "evolved_search", "evolved_export"
ABOUT = ("autosr/dataset", "autosr/search", "autosr/mode", "autosr/settings")


@dataclass
class Watched:
    """A dataset `calls` and a search `evolved` over it, whose sensors are looked at by hand."""

    home: Home
    instance: dg.DagsterInstance
    chunk_size: int | None = None
    scope: Scope = Scope.PROMPT_LOCAL
    failing: frozenset[str] = frozenset()
    verifier: FakeVerifier = field(default_factory=lambda: FakeVerifier(0.3))
    cursors: dict[str, str | None] = field(default_factory=dict)

    @property
    def roles(self) -> Roles:
        return Roles(FakeInitializer(failing=self.failing), FakeProposer(), self.verifier, FakeJudge())

    @cached_property
    def definitions(self) -> dg.Definitions:
        dataset = PromptDataset(settings=DatasetRunSettings(path="calls.json"))
        settings = SearchRunSettings.model_validate({"evolution": {"population_size": 4, "mutations_per_round": 2}})
        search = RubricSearch(
            dataset="calls", generations=1, scope=self.scope, settings=settings, chunk_size=self.chunk_size
        )
        return dg.Definitions.merge(shared(), dataset.definitions("calls"), search.definitions("evolved"))

    def drop(self, *prompts: Prompt) -> None:
        """Drop a file of these prompts."""
        write_prompts(self.home.root / "incoming" / "calls.json", prompts)

    def look(self, sensor: str) -> SensorExecutionData:
        """Evaluate a sensor once, as the daemon does."""
        with dg.build_sensor_context(self.instance, self.cursors.get(sensor), **self._known) as context:
            said = self.definitions.resolve_sensor_def(sensor).evaluate_tick(context)
        self.cursors[sensor] = said.cursor
        return said

    def run(self, requests: Sequence[dg.RunRequest], job: str) -> list[dg.ExecuteInProcessResult]:
        """Run what was asked for; a request without a job is for `job`."""
        results = []
        for request in requests:
            chosen = self.definitions.resolve_job_def(request.job_name or job)
            if request.asset_selection is not None:
                checks = set(request.asset_check_keys or ())
                chosen = chosen.get_subset(asset_selection=set(request.asset_selection), asset_check_selection=checks)
            results.append(
                chosen.execute_in_process(instance=self.instance, tags=dict(request.tags), raise_on_error=False)
            )
        return results

    def take_in(self) -> SensorExecutionData:
        """Look until the dropped file is still, read it, and return what the search's sensor says."""
        self.look("calls_incoming")
        self.run(self.look("calls_incoming").run_requests or [], READ)
        return self.look("evolved_new_prompts")

    def settle(self) -> int:
        """Take in what was dropped and run all that it asks for; return how many runs of the search that took."""
        count = 0
        said = self.take_in()
        while said.run_requests:
            count += len(self.run(said.run_requests, SEARCH))
            said = self.look("evolved_new_prompts")
        return count

    def nightly(self) -> Any:
        with dg.build_schedule_context(self.instance, **self._known) as context:
            return self.definitions.resolve_schedule_def("evolved_nightly").evaluate_tick(context)

    @cached_property
    def _known(self) -> dict[str, Any]:
        repository = self.definitions.get_repository_def()
        return {"repository_def": repository, "resources": repository.get_top_level_resources()}

    def exported(self) -> set[str]:
        return {entry["prompt_id"] for entry in self.home.export("evolved")["best_rubrics"]}

    def results_of(self, check: str) -> int:
        key = dg.AssetCheckKey(dg.AssetKey(["evolved", "best_rubrics"]), check)
        return len(self.instance.event_log_storage.get_asset_check_execution_history(key, limit=50))


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    home = Home(tmp_path / "home")
    shutil.copytree(fresh_dagster_home(), home.root / "dagster")
    monkeypatch.delenv("LLM_API_KEY", raising=False)
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    with home.dagster() as instance:
        one = Watched(home, instance)
        monkeypatch.setattr("autosr_lib.pipeline.backend_pool.open_backend", lambda *_: fake_backend(one.roles))
        yield one


def test_a_file_is_taken_in_only_when_it_did_not_change_between_two_looks(watched: Watched) -> None:
    watched.drop(*planted("a"))
    first = watched.look("calls_incoming")
    watched.drop(*planted("a", "b"))  # it was half written
    second = watched.look("calls_incoming")
    third = watched.look("calls_incoming")

    assert [len(said.run_requests or ()) for said in (first, second, third)] == [0, 0, 1]
    assert "waits until it is still" in str(first.skip_message)
    assert not list((watched.home.root / "incoming").iterdir())


def test_a_dropped_file_is_searched_and_exported_in_one_run(watched: Watched) -> None:
    watched.drop(*planted("a", "b", "c"))

    runs = watched.settle()

    assert runs == 1
    assert watched.exported() == {"a", "b", "c"}
    assert "no new file" in str(watched.look("evolved_new_prompts").skip_message)


def test_of_a_changed_file_only_the_changed_and_the_new_prompts_are_computed(watched: Watched) -> None:
    a, b, c, d = planted("a", "b", "c", "d")
    watched.drop(a, b, c)
    watched.settle()
    before = watched.home.files()
    asked = len(watched.verifier.requests)

    changed = b.model_copy(update={"prompt": "Another task."})
    watched.drop(a, changed, c, d)
    watched.settle()

    written = {name for name, known in watched.home.files().items() if before.get(name) != known}
    rows = {name for name in written if name.startswith("storage/evolved/") and name.count("/") == 3}
    assert {Path(name).stem for name in rows} == {"b", "d"}
    assert {request.prompt_text for request in watched.verifier.requests[asked:]} == {"Another task.", d.prompt}
    assert watched.exported() == {"a", "b", "c", "d"}


def test_the_same_content_is_run_once_however_often_it_is_dropped_and_whatever_the_sensors_forget(
    watched: Watched,
) -> None:
    watched.drop(*planted("a", "b"))
    watched.settle()

    watched.drop(*planted("a", "b"))
    again = [watched.look("calls_incoming") for _ in range(3)]
    watched.cursors.clear()
    forgotten = [watched.look(name) for name in ("calls_incoming", "evolved_new_prompts") * 2]
    watched.cursors.update(calls_incoming="what is this", evolved_new_prompts="[1]")
    odd = [watched.look(name) for name in ("calls_incoming", "evolved_new_prompts") * 2]

    assert not [said.run_requests for said in (*again, *forgotten, *odd) if said.run_requests]


def test_going_back_to_an_earlier_file_is_a_change_too(watched: Watched) -> None:
    watched.drop(*planted("a", "b"))
    watched.settle()
    watched.drop(*planted("a"))
    watched.settle()
    assert watched.exported() == {"a"}

    watched.drop(*planted("a", "b"))
    watched.settle()

    assert watched.exported() == {"a", "b"}


def test_a_prompt_that_left_keeps_its_results_is_marked_and_is_not_exported(watched: Watched) -> None:
    watched.drop(*planted("a", "b"))
    watched.settle()
    kept = watched.home.rows("evolved/best_rubrics")["b"]

    watched.drop(*planted("a"))
    runs = watched.settle()

    rows = watched.home.store.stored(TableName.dataset("calls")).read(["prompt_id", "status"]).to_pylist()
    assert {row["prompt_id"]: row["status"] for row in rows} == {"a": "done", "b": "withdrawn"}
    assert watched.home.rows("evolved/best_rubrics")["b"] == kept
    assert (runs, watched.exported()) == (1, {"a"})  # nothing to search: the export alone


def test_many_prompts_are_searched_in_ranges_and_exported_and_checked_once_after_them(watched: Watched) -> None:
    watched.chunk_size = 2
    watched.drop(*planted("a", "b", "c", "d", "e"))

    said = watched.take_in()
    parts = said.run_requests or []
    ranges = [
        (one.tags["dagster/asset_partition_range_start"], one.tags["dagster/asset_partition_range_end"])
        for one in parts
    ]
    watched.run(parts, SEARCH)
    after = [watched.look("evolved_new_prompts") for _ in range(2)]
    in_between = watched.results_of("every_prompt_has_a_rubric")
    watched.run(after[0].run_requests or [], SEARCH)

    assert ranges == [("a", "b"), ("c", "d"), ("e", "e")]
    assert [[one.job_name for one in said.run_requests or ()] for said in after] == [[EXPORT], []]
    assert (in_between, watched.results_of("every_prompt_has_a_rubric")) == (0, 1)
    assert watched.exported() == {"a", "b", "c", "d", "e"}


def test_in_scope_global_batch_all_prompts_share_a_run(watched: Watched) -> None:
    watched.chunk_size, watched.scope = 2, Scope.GLOBAL_BATCH
    watched.drop(*planted("a", "b", "c"))

    assert watched.settle() == 1
    assert watched.exported() == {"a", "b", "c"}


def test_a_bad_file_is_set_aside_and_the_sensor_goes_on(watched: Watched) -> None:
    watched.drop(*planted("a"))
    watched.settle()
    (watched.home.root / "incoming" / "calls.csv").write_text("prompt_id\n1\n")
    watched.drop(*planted("a", "b"))

    watched.settle()

    assert watched.exported() == {"a", "b"}
    rejected = watched.home.root / "rejected"
    assert {file.name for file in rejected.iterdir()} == {"calls.csv", "calls.csv.error.txt"}


def test_a_dataset_in_which_there_is_nothing_to_search_fails_its_run_and_starts_no_search(watched: Watched) -> None:
    (a,) = planted("a")
    alike = tuple(one.model_copy(update={"metadata": {"quality": 0.5}}) for one in a.candidates)
    watched.drop(a.model_copy(update={"candidates": alike}))

    said = watched.take_in()

    (reading,) = watched.instance.get_runs(dg.RunsFilter(job_name=READ))
    assert reading.status == dg.DagsterRunStatus.FAILURE
    assert not said.run_requests
    assert f"run {reading.run_id}, which reads calls, did not succeed" in str(said.skip_message)


def test_a_file_of_no_dataset_is_left_alone_and_named(watched: Watched) -> None:
    write_prompts(watched.home.root / "incoming" / "mine.json", planted("a"))

    said = [watched.look("calls_incoming") for _ in range(2)][-1]

    assert "for no dataset has their names: mine.json" in str(said.skip_message)
    assert (watched.home.root / "incoming" / "mine.json").is_file()


def test_while_a_run_of_the_search_goes_on_the_new_file_is_taken_in_and_not_yet_read(watched: Watched) -> None:
    watched.drop(*planted("a"))
    watched.settle()
    job = watched.definitions.resolve_job_def(SEARCH)
    going_on = watched.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=job.tags)
    watched.drop(*planted("a", "b"))

    said = [watched.look("calls_incoming") for _ in range(3)]
    searching = watched.look("evolved_new_prompts")
    watched.instance.report_run_failed(going_on)
    afterwards = watched.look("calls_incoming")

    assert not any(one.run_requests for one in (*said, searching))
    assert f"read when run {going_on.run_id} has ended" in str(said[-1].skip_message)
    assert going_on.run_id in str(searching.skip_message)
    assert len(afterwards.run_requests or ()) == 1


def test_a_run_of_the_command_line_that_was_killed_holds_nothing_up(watched: Watched) -> None:
    job = watched.definitions.resolve_job_def(SEARCH)
    gone = {"autosr/host": socket.gethostname(), "autosr/process": "999999999"}
    run = watched.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={**job.tags, **gone})

    assert unfinished_run(watched.instance, {"autosr/search": "evolved"}) is None
    known = watched.instance.get_run_by_id(run.run_id)
    assert known is not None
    assert known.status == dg.DagsterRunStatus.FAILURE


def test_a_run_of_single_assets_which_no_job_has_tagged_says_what_it_is_about(watched: Watched) -> None:
    watched.drop(*planted("a"))
    watched.settle()
    everything = watched.definitions.resolve_implicit_global_asset_job_def()

    def tags_of(*keys: str) -> dict[str, str]:
        known = everything.execute_in_process(
            instance=watched.instance,
            asset_selection=[dg.AssetKey(key.split("/")) for key in keys],
            partition_key="a",
        )
        run = watched.instance.get_run_by_id(known.run_id)
        return {} if run is None else {name: run.tags[name] for name in run.tags if name in ABOUT}

    of_the_job = watched.definitions.resolve_job_def(SEARCH).tags
    assert tags_of("evolved/initial_rubrics") == {name: of_the_job[name] for name in ABOUT}
    assert tags_of("calls/preferences", "evolved/initial_rubrics") == {name: of_the_job[name] for name in ABOUT}
    assert tags_of("calls/preferences") == {"autosr/dataset": "calls"}


def test_a_run_over_assets_of_two_searches_is_tagged_as_neither(watched: Watched) -> None:
    both = frozenset({dg.AssetKey(["evolved", "best_rubrics"]), dg.AssetKey(["refined", "best_rubrics"])})
    run = watched.instance.add_run(dg.DagsterRun("__ASSET_JOB", "0" * 32, asset_selection=both))

    tag_untagged(watched.instance, run, {"autosr/dataset": "calls", "autosr/search": "evolved"})

    (known,) = watched.instance.get_runs()
    assert not set(ABOUT) & set(known.tags)


def test_a_prompt_that_failed_is_not_asked_for_again_until_the_night(watched: Watched) -> None:
    watched.failing = frozenset({"b"})
    watched.drop(*planted("a", "b", "c"))
    watched.settle()
    watched.failing = frozenset()
    assert not watched.look("evolved_new_prompts").run_requests

    tonight = watched.nightly()
    ranges = [one.tags["dagster/asset_partition_range_start"] for one in tonight.run_requests]
    watched.run(tonight.run_requests, SEARCH)

    assert ranges == ["b"]
    assert watched.home.export("evolved")["failed_prompts"] == {}
    assert "all 3 prompts are up to date" in str(watched.nightly().skip_message)


def test_the_schedule_is_off_and_says_when_there_is_nothing_to_look_at(watched: Watched) -> None:
    schedule = watched.definitions.resolve_schedule_def("evolved_nightly")

    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert "has not been read yet" in str(watched.nightly().skip_message)
