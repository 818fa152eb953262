"""Operated by a real daemon and web server: files are dropped, runs start by themselves, a killed run is started again."""

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

# One worker runs all of a file (`--dist loadfile`): they share the daemon, and each goes on where the one before ended.
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
    """The deployment, and the endpoint that it asks, which can be told to keep its answers back."""

    dagster: Deployment
    server: ModelServer
    stalls: threading.Event

    def drop(self, name: str, *prompts: Prompt) -> None:
        write_prompts(self.dagster.home.root / "incoming" / name, prompts)

    def asked_about(self, since: int) -> set[str]:
        """Return the prompts that the requests from the given one on are about."""
        said = [user_text(body) for body in self.server.requests[since:]]
        return {p.prompt for p in (*PROMPTS, CHANGED) if any(p.prompt in text for text in said)}


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
        with dagster_dev(tmp_path_factory.mktemp("daemon"), components, environment) as here:
            yield Operated(here, server, stalls)


def test_a_dropped_file_is_searched_by_both_searches_while_the_bad_one_beside_it_is_set_aside(
    operated: Operated,
) -> None:
    here, home = operated.dagster, operated.dagster.home
    operated.drop("calls.json", *PROMPTS)
    (home.root / "incoming" / "mails.json").write_text('{"prompts": [{"prompt_id": "x"')

    evolved = here.ended("evolved_search", 1)
    refined = here.ended("refined_search", 2)  # of three prompts, two a run
    exports = here.ended("refined_export", 1)

    runs = [*evolved, *refined, *exports]
    assert {run.dagster_run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert [exported(home, name) for name in ("evolved", "refined")] == [{"a", "b", "c"}] * 2
    assert "cut short" in (home.root / "rejected" / "mails.json.error.txt").read_text()
    assert evolved[0].dagster_run.tags.items() >= {
        "autosr/dataset": "calls", "autosr/search": "evolved", "autosr/mode": "evolutionary",
    }.items()  # fmt: skip
    assert [checks(here, run) for run in (evolved[0], *refined, *exports)] == [9, 0, 0, 9]


def test_runs_that_ask_one_endpoint_do_so_one_after_the_other(operated: Operated) -> None:
    here = operated.dagster
    runs = [run for job in ("evolved_search", "refined_search", "refined_export") for run in here.ended(job, 1)]

    times = sorted((run.start_time or 0, run.end_time or 0) for run in runs)

    assert all(before[1] <= after[0] for before, after in pairwise(times))


def test_of_a_changed_copy_only_the_changed_prompt_is_computed_again(operated: Operated) -> None:
    here, home = operated.dagster, operated.dagster.home
    before, asked = home.files(), len(operated.server.requests)

    operated.drop("calls.json", PROMPTS[0], CHANGED, PROMPTS[2])
    runs = [here.ended(f"{name}_search", count)[-1].dagster_run for name, count in (("evolved", 2), ("refined", 3))]

    after = home.files()
    written = {name for name, known in after.items() if before.get(name) != known}
    rows = {name for name in written if re.match(r"storage/(calls|evolved|refined)/\w+/", name)}
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
    assert {run.tags["dagster/asset_partition_range_start"] for run in runs} == {"b"}
    assert {Path(name).stem for name in rows} == {"b"}
    assert {"storage/evolved/best_rubrics/b.parquet", "storage/refined/best_rubrics/b.parquet"} <= rows
    assert operated.asked_about(asked) == {CHANGED.prompt}


def test_what_the_searches_found_is_compared_again_when_they_found_something_else(operated: Operated) -> None:
    here = operated.dagster
    runs = [here.ended("evolved_search", 2)[-1], here.ended("refined_search", 3)[-1]]
    ended = max(run.end_time or 0 for run in runs)

    compared = here.wait("a comparison after both", lambda: comparison_after(here, ended))

    assert compared.status is dg.DagsterRunStatus.SUCCESS
    rows = here.home.store.stored(TableName.comparison("calls", "comparison")).read(["search", "prompt_id"]).to_pylist()
    assert {(row["search"], row["prompt_id"]) for row in rows} == set(product(("evolved", "refined"), "abc"))


def test_two_prompts_are_launched_and_their_rubrics_read_by_graphql(operated: Operated) -> None:
    client = DagsterGraphQLClient("127.0.0.1", operated.dagster.port)
    two = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "b"}

    run_id = client.submit_job_execution("evolved_search", tags=two)
    operated.dagster.wait("the end of the run", lambda: is_over(client, run_id) or None)
    found = {key: metadata(client, "best_rubrics", key) for key in ("a", "b", "c")}

    assert client.get_run_status(run_id) is dg.DagsterRunStatus.SUCCESS
    assert [found[key]["run"] == run_id for key in ("a", "b", "c")] == [True, True, False]
    assert "The response covers point" in found["a"]["rubric"]["mdStr"]


def test_a_run_whose_process_is_killed_is_started_again_and_ends_what_it_began(operated: Operated) -> None:
    here, count = operated.dagster, len(operated.dagster.runs("evolved_search"))
    operated.stalls.set()
    operated.drop("calls.json", *PROMPTS[:2], PROMPTS[2].model_copy(update={"prompt": "Write a third thing."}))

    killed, process = here.wait("a run that asks", lambda: working(here, count))
    os.kill(process, signal.SIGKILL)
    operated.stalls.clear()
    runs = here.ended(killed.job_name, count + 2)

    assert [run.dagster_run.status for run in runs[-2:]] == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]
    assert runs[-1].dagster_run.parent_run_id == killed.run_id


def test_at_night_what_is_missing_is_searched_by_the_schedule_that_somebody_turned_on(operated: Operated) -> None:
    here, home = operated.dagster, operated.dagster.home
    home.store.path(TableName.best_rubrics("evolved"), "b").unlink()

    turn_on(DagsterGraphQLClient("127.0.0.1", here.port), "evolved_nightly")
    run = here.wait("the night's run", lambda: asked_by(here, "nightly") or None)[0].dagster_run

    tags = ("dagster/schedule_name", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    assert [run.tags[name] for name in tags] == ["evolved_nightly", "b", "b"]
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert set(home.rows("evolved/best_rubrics")) == {"a", "b", "c"}


def exported(home: Home, name: str) -> set[str]:
    return {entry["prompt_id"] for entry in home.export(name)["best_rubrics"]}


def checks(here: Deployment, run: dg.RunRecord) -> int:
    """Return how many checks a run made."""
    with here.home.dagster() as instance:
        found = instance.all_logs(run.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        return len(found)


def is_over(client: DagsterGraphQLClient, run_id: str) -> bool:
    return client.get_run_status(run_id) in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def metadata(client: DagsterGraphQLClient, asset: str, partition: str) -> dict[str, Any]:
    """Return the entries of the last materialization of a prompt, and its run, as the web UI asks for them."""
    known = client._execute(METADATA, {"key": {"path": ["evolved", asset]}, "partition": partition})
    (latest,) = known["assetOrError"]["assetMaterializations"]
    return {"run": latest["runId"], **{entry["label"]: entry for entry in latest["metadataEntries"]}}


def asked_by(here: Deployment, what: str) -> list[dg.RunRecord]:
    """Return the ended runs that this asked for, the first one first."""
    with here.home.dagster() as instance:
        known = instance.get_run_records(dg.RunsFilter(tags={"autosr/asked_by": what}))
        return [record for record in reversed(known) if record.dagster_run.is_finished]


def comparison_after(here: Deployment, moment: float) -> dg.DagsterRun | None:
    """Return the run that compared the searches and began after this moment, once it has ended."""
    later = (record for record in asked_by(here, "new results") if (record.start_time or 0) >= moment)
    return next((record.dagster_run for record in later), None)


def turn_on(client: DagsterGraphQLClient, schedule: str) -> None:
    """Turn a schedule on, as the switch in the web UI does."""
    (job,) = client._get_repo_locations_and_names_with_pipeline("evolved_search")
    place = {"repositoryName": job.repository_name, "repositoryLocationName": job.repository_location_name}
    said = client._execute(TURN_ON, {"schedule": {**place, "scheduleName": schedule}})
    assert said["startSchedule"]["scheduleState"]["status"] == "RUNNING"


def working(here: Deployment, count: int) -> tuple[dg.DagsterRun, int] | None:
    """Return the run of either search that executes its steps now, and its process."""
    with here.home.dagster() as instance:
        for job in ("evolved_search", "refined_search"):
            started = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.STARTED])
            for run in instance.get_runs(filters=started):
                for entry in instance.all_logs(run.run_id):
                    if found := re.search(r"Executing steps in process \(pid: (\d+)\)", entry.user_message):
                        return run, int(found[1])
    return None
