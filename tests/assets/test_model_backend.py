"""The whole graph with models behind the roles, by the command line and over a real HTTP server on loopback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.definitions import shared
from autosr_lib.llm.call_records import CALLS_SCHEMA
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.tables.columns import Columns
from tests.assets.commands import CommandResult
from tests.assets.model_home import DEMO, KEY, QUICK, SMALL, ModelHome, without_endpoint, without_run, write_summeval
from tests.llm.server import Drop, Envelope, Fault, ModelServer, Says, Status, blocks, chance, role_of, user_text


def failing_a_fifth(number: int, body: dict[str, Any]) -> Fault | None:
    """Return a fault for a fifth of the requests; a reply that was bad is not bad again, as a third is not asked for."""
    passing: list[Fault] = [
        Status(429),
        Status(500),
        Status(503, headers={"Retry-After": "0"}),
        Drop(),
        Envelope({"error": {"message": "overloaded", "code": 503}}),
        Envelope({"choices": []}),
    ]
    bad: list[Fault] = [
        Says('{"C1": {"reason": "cut of', finish_reason="length"),
        Says(None, refusal="I would rather not."),
    ]
    kinds = passing if "Your earlier reply" in user_text(body) else [*passing, *bad]
    return kinds[number % len(kinds)] if chance("fault", str(number)) < 0.2 else None


def failing_for(text: str, role: str) -> Callable[[int, dict[str, Any]], Fault | None]:
    """Return a script that never answers one role about one prompt."""

    def script(number: int, body: dict[str, Any]) -> Fault | None:
        is_it = role_of(body) == role and blocks(body)[:1] == [text]
        return Says("no idea") if is_it else None

    return script


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelHome, ModelServer, CommandResult]:
    """Return a home in which the demo was searched once, the server it asked, and what was printed."""
    with ModelServer() as server:
        home = ModelHome(tmp_path_factory.mktemp("demo"), server.base_url)
        return home, server, home.search(DEMO, *SMALL, "--verbose")


# --- paid once ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["demo", "summeval"])
def test_a_search_repeated_without_its_tables_asks_nothing_and_ends_the_same(dataset: str, tmp_path: Path) -> None:
    path = DEMO if dataset == "demo" else write_summeval(tmp_path, 20)
    with ModelServer() as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        first = home.search(path)
        sent, export = len(server.requests), home.export(path.stem)
        home.forget_tables()
        second = home.search(path)

        assert (first.code, second.code) == (0, 0), first.err + second.err
        assert len(export["best_rubrics"]) == len(json.loads(path.read_text())["prompts"])
        assert sent > 100
        assert len(server.requests) == sent
        assert without_run(home.export(path.stem)) == without_run(export)
        assert export["run_manifest"]["deterministic"] is True


# --- the endpoint's faults ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_endpoint_that_fails_a_fifth_of_the_time_changes_no_result(
    demo: tuple[ModelHome, ModelServer, CommandResult], tmp_path: Path
) -> None:
    with ModelServer(faults=failing_a_fifth) as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *SMALL, "--llm-max-retries", "12")

        assert said.code == 0, said.err
        assert without_endpoint(home.best()) == without_endpoint(demo[0].best())
        assert home.export("demo_dataset")["best_rubrics"] == demo[0].export("demo_dataset")["best_rubrics"]
        calls = home.calls()
        assert sum(calls["retries"].to_pylist()) + sum(calls["asked_again"].to_pylist()) > 10


def test_a_refused_key_is_one_line_that_names_endpoint_model_and_variable_and_nothing_is_spent(tmp_path: Path) -> None:
    with ModelServer(faults=lambda number, body: Status(401, f"Incorrect API key: {KEY}")) as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO)

        assert said.code == 2
        assert said.err.count("\n") == 1
        assert all(word in said.err for word in (server.base_url, "scripted", "LLM_API_KEY"))
        assert KEY not in said.err + said.out
        assert len(server.requests) == 1
        assert not home.rows("demo_dataset/best_rubrics")


def test_a_prompt_that_the_verifier_cannot_grade_fails_alone_without_fail_soft(tmp_path: Path) -> None:
    with ModelServer(faults=failing_for(text_of("moon-shape"), "verifier")) as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *SMALL, "--no-llm-fail-soft")

        assert said.code == 3
        status = {key: row["status"] for key, row in home.best().items()}
        assert status == {"moon-shape": "failed", "mutable-default": "done", "refund-reply": "done"}
        assert list(home.export("demo_dataset")["failed_prompts"]) == ["moon-shape"]


@pytest.mark.slow
def test_with_fail_soft_it_ends_incomplete_and_counted_and_a_later_run_asks_again(tmp_path: Path) -> None:
    moon = failing_for(text_of("moon-shape"), "verifier")
    is_ill = True
    with ModelServer(faults=lambda number, body: moon(number, body) if is_ill else None) as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *SMALL)
        ill = home.best()
        is_ill = False
        later = home.search(DEMO, *SMALL)

        assert (said.code, later.code) == (0, 0)
        assert {key: row["status"] for key, row in ill.items() if row["status"] != "done"} == {
            "moon-shape": "incomplete"
        }
        assert ill["moon-shape"]["calls"]["failed"] == ill["moon-shape"]["calls"]["verifier"] > 0
        assert "1: something stayed unanswered" in said.out
        assert home.best()["moon-shape"]["status"] == "done"


@pytest.mark.slow
def test_a_proposal_that_cannot_be_read_twice_leaves_its_prompt_incomplete_and_a_later_run_asks_again(
    tmp_path: Path,
) -> None:
    mute = failing_for(text_of("moon-shape"), "proposer")
    is_ill = True
    with ModelServer(faults=lambda number, body: mute(number, body) if is_ill else None) as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *SMALL)
        ill = {key: row["status"] for key, row in home.best().items()}
        is_ill, sent = False, len(server.requests)
        later = home.search(DEMO, *SMALL)

        assert (said.code, later.code) == (0, 0)
        assert ill == {"moon-shape": "incomplete", "mutable-default": "done", "refund-reply": "done"}
        assert {blocks(body)[0] for body in server.requests[sent:]} == {text_of("moon-shape")}
        assert {row["status"] for row in home.best().values()} == {"done"}
        assert home.best()["moon-shape"]["calls"]["failed"] == 0


def text_of(prompt_id: str) -> str:
    """Return a prompt's text as the verifier is shown it."""
    prompts = json.loads(DEMO.read_text())["prompts"]
    return str(next(prompt["prompt"] for prompt in prompts if prompt["prompt_id"] == prompt_id)).strip()


# --- the record --------------------------------------------------------------------------------------------------------


def test_every_request_is_in_the_record_of_the_run(demo: tuple[ModelHome, ModelServer, CommandResult]) -> None:
    home, server, said = demo

    calls = home.calls()

    assert said.code == 0, said.err
    assert calls.schema.remove_metadata() == CALLS_SCHEMA.remove_metadata()
    asked = [body for body in server.requests if role_of(body) != "preflight"]
    assert sum(calls["requests"].to_pylist()) == len(asked)
    assert {
        role: calls["role"].to_pylist().count(role) for role in ("judge", "initializer", "proposer", "verifier")
    } == {
        role: sum(role_of(body) == role for body in asked) for role in ("judge", "initializer", "proposer", "verifier")
    }
    assert set(calls["prompt_id"].to_pylist()) == {"refund-reply", "moon-shape", "mutable-default"}
    assert set(calls["outcome"].to_pylist()) == {"good"}
    assert not any(calls["cached"].to_pylist())


def test_the_key_is_sent_and_written_nowhere(demo: tuple[ModelHome, ModelServer, CommandResult]) -> None:
    home, server, said = demo

    told = said.out + said.err
    files = [path for path in home.root.rglob("*") if path.is_file()]

    assert all(headers["Authorization"] == f"Bearer {KEY}" for headers in server.headers)
    assert KEY not in told
    assert any(path.name == "replies.sqlite" for path in files)
    assert [str(path) for path in files if KEY.encode() in path.read_bytes()] == []


# --- the budget --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_s_calls_are_divided_over_its_prompts_beforehand_and_to_reach_them_is_a_normal_ending(
    tmp_path: Path,
) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *QUICK, "--max-calls", "110")

        assert said.code == 0, said.err
        assert "max_calls 110" in said.err
        assert len(server.requests) <= 110
        export = home.export("demo_dataset")
        assert {entry["stopped"] for entry in export["best_rubrics"]} == {"budget"}
        assert {entry["status"] for entry in export["best_rubrics"]} == {"done"}
        assert export["run_manifest"]["deterministic"] is True


@pytest.mark.slow
def test_a_run_from_dagster_divides_its_calls_as_the_command_line_does_in_whatever_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)
        assert home.search(DEMO, *QUICK, "--max-calls", "60", "--chunk-size", "1", "--generations", "1").code == 0
        best, sent = home.best(), len(server.requests)

        found = materialized(home, monkeypatch, {"backend": {"llm": {"max_calls": 60}}}, "refund-reply")

        assert found["calls"] == best["refund-reply"]["calls"]
        assert found["input_fingerprint"] == best["refund-reply"]["input_fingerprint"]
        assert found["stopped"] == "budget"
        assert len(server.requests) == sent


def materialized(home: ModelHome, patch: pytest.MonkeyPatch, settings: dict[str, Any], key: str) -> Columns:
    """Return the best rubric of one prompt of the demo, from the components that a YAML of these settings makes."""
    for name, value in home.environment().items():
        patch.setenv(name, value)
    shutil.rmtree(home.root / "storage")
    dataset = PromptDataset(settings=DatasetRunSettings(path=str(DEMO), backend=settings["backend"]))
    search = RubricSearch(dataset="demo", generations=1, settings=SearchRunSettings.model_validate(settings))
    defs = dg.Definitions.merge(shared(), dataset.definitions("demo"), search.definitions("other"))
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        assert (
            job.get_subset(asset_selection={dg.AssetKey(["demo", "dataset"])})
            .execute_in_process(instance=instance)
            .success
        )
        rest = {one for one in job.asset_layer.executable_asset_keys if one != dg.AssetKey(["demo", "dataset"])}
        job.get_subset(asset_selection=rest).execute_in_process(instance=instance, partition_key=key)
    return home.rows("other/best_rubrics")[key][0]


@pytest.mark.slow
def test_the_emergency_stop_exports_the_best_so_far_and_says_that_chance_had_a_part(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *QUICK, "--max-calls", "100", "--max-calls-per-prompt", "500")

        assert said.code == 0, said.err
        assert len(server.requests) == 100
        export = home.export("demo_dataset")
        assert len(export["best_rubrics"]) == 3
        assert "budget" in {entry["stopped"] for entry in export["best_rubrics"]}
        assert export["run_manifest"]["deterministic"] is False

        more = home.search(DEMO, *QUICK, "--max-calls", "1500", "--max-calls-per-prompt", "500")

        assert more.code == 0, more.err
        assert home.export("demo_dataset")["run_manifest"]["deterministic"] is True


def test_a_prompt_for_which_nothing_is_left_fails_with_that_reason(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *SMALL, "--max-calls", "3", "--max-calls-per-prompt", "500", "--judge", "quality")

        assert said.code == 3
        assert all(row["error"].startswith("the run's budget is spent: max_calls") for row in home.best().values())
        assert home.export("demo_dataset")["run_manifest"]["deterministic"] is False


def test_too_few_calls_for_a_first_rubric_are_refused_before_any_is_made(tmp_path: Path) -> None:
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        said = home.search(DEMO, *QUICK, "--max-calls", "30")

        assert said.code == 2
        assert said.err.count("\n") == 1
        assert "max_calls is 30" in said.err
        assert not server.requests
