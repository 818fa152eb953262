"""A deployment with a real daemon and web server: dropped files start runs, and a killed run is retried."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_graphql import DagsterGraphQLClient

from autosr_lib.domain.prompt import Prompt
from autosr_lib.storage.table_names import TableName
from tests.assets.commands import Home, planted, write_prompts
from tests.assets.dagster_dev import Deployment, dagster_dev
from tests.llm.server import Body, Fault, ModelServer, Stall, user_text

# One worker runs all tests of a file (`--dist loadfile`): they share the daemon, and each continues from the previous one.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

DATASET = (
    "type: autosr_assets.components.PromptDataset\nattributes:\n  watch_seconds: 3\n  settings: {path: none.json}\n"
)
SEARCH = """\
type: autosr_assets.components.RubricSearch
attributes:
  dataset: calls
  mode: %s
  generations: 1
  chunk_size: %d
  watch_seconds: 3
  nightly: "* * * * *"
  settings:
    evolution: {mutations_per_round: 2}
"""
COMPARISON = """\
type: autosr_assets.components.SearchComparison
attributes:
  searches: [refined, evolved]
  watch_seconds: 3
"""
PROMPTS = planted("a", "b", "c")
CHANGED = PROMPTS[1].model_copy(update={"prompt": "Write another thing for b."})
METADATA = """
query Metadata($key: AssetKeyInput!, $partition: String!) {
  assetOrError(assetKey: $key) { ... on Asset {
    assetMaterializations(partitions: [$partition], limit: 1) { runId metadataEntries { label
      ... on MarkdownMetadataEntry { mdStr }
      ... on FloatMetadataEntry { floatValue }
    } }
  } }
}
"""
TURN_ON = """
mutation TurnOn($schedule: ScheduleSelector!) {
  startSchedule(scheduleSelector: $schedule) { ... on ScheduleStateResult { scheduleState { status } } }
}
"""


@dataclass(frozen=True)
class Operated:
    """A deployment and its endpoint; while `stalls` is set, the endpoint delays its replies."""

    dagster: Deployment
    server: ModelServer
    stalls: threading.Event

    def drop(self, name: str, *prompts: Prompt) -> None:
        """Write a file of these prompts into the watched folder."""
        write_prompts(self.dagster.home.root / "incoming" / name, prompts)

    def requested_prompts(self, start: int) -> set[str]:
        """Return the prompts that the requests from number `start` on contain."""
        texts = [user_text(body) for body in self.server.requests[start:]]
        return {prompt.prompt for prompt in (*PROMPTS, CHANGED) if any(prompt.prompt in text for text in texts)}


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    stalls = threading.Event()

    def script(number: int, body: Body) -> Fault | None:
        return Stall(60) if stalls.is_set() else None

    components = {
        "calls": DATASET,
        "mails": DATASET,
        "evolved": SEARCH % ("evolutionary", 100),
        "refined": SEARCH % ("iterative", 2),
        "comparison": COMPARISON,
    }
    with ModelServer(faults=script) as server:
        environment = {"LLM_API_KEY": "sk-test", "LLM_BASE_URL": server.base_url, "LLM_MODEL": "scripted"}
        with dagster_dev(tmp_path_factory.mktemp("daemon"), components, environment) as deployment:
            yield Operated(deployment, server, stalls)


def test_a_dropped_file_is_searched_by_both_searches_and_an_invalid_file_is_rejected(
    operated: Operated,
) -> None:
    here, home = operated.dagster, operated.dagster.home
    operated.drop("calls.json", *PROMPTS)
    (home.root / "incoming" / "mails.json").write_text('{"prompts": [{"prompt_id": "x"')

    evolved = here.ended("evolved_search", 1)
    refined = here.ended("refined_search", 2)  # three prompts, at most two in a run
    exports = here.ended("refined_export", 1)

    runs = [*evolved, *refined, *exports]
    assert {run.dagster_run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert [exported(home, name) for name in ("evolved", "refined")] == [{"a", "b", "c"}] * 2
    assert "cut short" in (home.root / "rejected" / "mails.json.error.txt").read_text()
    assert evolved[0].dagster_run.tags.items() >= {
        "autosr/dataset": "calls", "autosr/search": "evolved", "autosr/mode": "evolutionary",
    }.items()  # fmt: skip
    assert [checks(here, run) for run in (evolved[0], *refined, *exports)] == [9, 0, 0, 9]


def test_runs_over_one_endpoint_do_not_overlap(operated: Operated) -> None:
    here = operated.dagster
    runs = [run for job in ("evolved_search", "refined_search", "refined_export") for run in here.ended(job, 1)]

    times = sorted((run.start_time or 0, run.end_time or 0) for run in runs)

    assert all(earlier[1] <= later[0] for earlier, later in pairwise(times))


def test_only_the_changed_prompt_of_a_changed_file_is_computed_again(operated: Operated) -> None:
    here, home = operated.dagster, operated.dagster.home
    before, earlier_requests = home.files(), len(operated.server.requests)

    operated.drop("calls.json", PROMPTS[0], CHANGED, PROMPTS[2])
    runs = [here.ended(f"{name}_search", count)[-1].dagster_run for name, count in (("evolved", 2), ("refined", 3))]

    after = home.files()
    written = {name for name, state in after.items() if before.get(name) != state}
    rows = {name for name in written if re.match(r"storage/(calls|evolved|refined)/\w+/", name)}
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
    assert {run.tags["dagster/asset_partition_range_start"] for run in runs} == {"b"}
    assert {Path(name).stem for name in rows} == {"b"}
    assert {"storage/evolved/best_rubrics/b.parquet", "storage/refined/best_rubrics/b.parquet"} <= rows
    assert operated.requested_prompts(earlier_requests) == {CHANGED.prompt}


def test_the_searches_are_compared_again_when_their_results_change(operated: Operated) -> None:
    here = operated.dagster
    runs = [here.ended("evolved_search", 2)[-1], here.ended("refined_search", 3)[-1]]
    ended = max(run.end_time or 0 for run in runs)

    comparison = here.wait("a comparison after both", lambda: comparison_after(here, ended))

    assert comparison.status is dg.DagsterRunStatus.SUCCESS
    rows = here.home.store.stored(TableName.comparison("calls", "comparison")).read(["search", "prompt_id"]).to_pylist()
    assert {(row["search"], row["prompt_id"]) for row in rows} == set(product(("evolved", "refined"), "abc"))


def test_a_range_is_launched_and_its_rubrics_are_read_by_graphql(operated: Operated) -> None:
    client = DagsterGraphQLClient("127.0.0.1", operated.dagster.port)
    range_tags = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "b"}

    run_id = client.submit_job_execution("evolved_search", tags=range_tags)
    operated.dagster.wait("the end of the run", lambda: is_over(client, run_id) or None)
    published = {key: metadata(client, "best_rubrics", key) for key in ("a", "b", "c")}

    assert client.get_run_status(run_id) is dg.DagsterRunStatus.SUCCESS
    assert [published[key]["run"] == run_id for key in ("a", "b", "c")] == [True, True, False]
    assert "The response covers point" in published["a"]["rubric"]["mdStr"]


def test_a_run_whose_process_is_killed_is_retried_and_succeeds(operated: Operated) -> None:
    here, count = operated.dagster, len(operated.dagster.runs("evolved_search"))
    operated.stalls.set()
    operated.drop("calls.json", *PROMPTS[:2], PROMPTS[2].model_copy(update={"prompt": "Write a third thing."}))

    killed, process = here.wait("a run in progress", lambda: run_in_progress(here))
    os.kill(process, signal.SIGKILL)
    operated.stalls.clear()
    runs = here.ended(killed.job_name, count + 2)

    assert [run.dagster_run.status for run in runs[-2:]] == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]
    assert runs[-1].dagster_run.parent_run_id == killed.run_id


def test_a_schedule_that_was_turned_on_searches_a_missing_prompt(operated: Operated) -> None:
    here, home = operated.dagster, operated.dagster.home
    home.store.path(TableName.best_rubrics("evolved"), "b").unlink()

    turn_on(DagsterGraphQLClient("127.0.0.1", here.port), "evolved_nightly")
    run = here.wait("the run of the schedule", lambda: finished_runs(here, "nightly") or None)[0].dagster_run

    tags = ("dagster/schedule_name", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    assert [run.tags[name] for name in tags] == ["evolved_nightly", "b", "b"]
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert set(home.rows("evolved/best_rubrics")) == {"a", "b", "c"}


def exported(home: Home, name: str) -> set[str]:
    """Return the ids of the prompts in the export of a search."""
    return {entry["prompt_id"] for entry in home.export(name)["best_rubrics"]}


def checks(here: Deployment, run: dg.RunRecord) -> int:
    """Return the number of checks that a run evaluated."""
    with here.home.dagster() as instance:
        events = instance.all_logs(run.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        return len(events)


def is_over(client: DagsterGraphQLClient, run_id: str) -> bool:
    return client.get_run_status(run_id) in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def metadata(client: DagsterGraphQLClient, asset: str, partition: str) -> dict[str, Any]:
    """Return the metadata and the run of the latest materialization of a prompt, by the query of the web UI."""
    response = client._execute(METADATA, {"key": {"path": ["evolved", asset]}, "partition": partition})
    (latest,) = response["assetOrError"]["assetMaterializations"]
    return {"run": latest["runId"], **{entry["label"]: entry for entry in latest["metadataEntries"]}}


def finished_runs(here: Deployment, asked_by: str) -> list[dg.RunRecord]:
    """Return the finished runs with this value of the tag `autosr/asked_by`, the earliest first."""
    with here.home.dagster() as instance:
        records = instance.get_run_records(dg.RunsFilter(tags={"autosr/asked_by": asked_by}))
        return [record for record in reversed(records) if record.dagster_run.is_finished]


def comparison_after(here: Deployment, moment: float) -> dg.DagsterRun | None:
    """Return the first finished run of the comparison that began after this moment, or None."""
    later = (record for record in finished_runs(here, "new results") if (record.start_time or 0) >= moment)
    return next((record.dagster_run for record in later), None)


def turn_on(client: DagsterGraphQLClient, schedule: str) -> None:
    """Turn a schedule on, as the switch in the web UI does."""
    (job,) = client._get_repo_locations_and_names_with_pipeline("evolved_search")
    repository = {"repositoryName": job.repository_name, "repositoryLocationName": job.repository_location_name}
    response = client._execute(TURN_ON, {"schedule": {**repository, "scheduleName": schedule}})
    assert response["startSchedule"]["scheduleState"]["status"] == "RUNNING"


def run_in_progress(here: Deployment) -> tuple[dg.DagsterRun, int] | None:
    """Return a run of either search that executes its steps, and the id of its process, or None."""
    with here.home.dagster() as instance:
        for job in ("evolved_search", "refined_search"):
            started = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.STARTED])
            for run in instance.get_runs(filters=started):
                for entry in instance.all_logs(run.run_id):
                    if match := re.search(r"Executing steps in process \(pid: (\d+)\)", entry.user_message):
                        return run, int(match[1])
    return None
