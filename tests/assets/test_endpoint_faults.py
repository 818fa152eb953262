"""Searches of the command line while the endpoint fails, refuses the key, or gives unreadable replies."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.assets.commands import CommandResult
from tests.assets.model_home import DEMO, KEY, SMALL, ModelHome, without_endpoint
from tests.llm.server import Drop, Envelope, Fault, ModelServer, Says, Status, blocks, chance, role_of, user_text


def failing_a_fifth(number: int, body: dict[str, Any]) -> Fault | None:
    """Return a fault for a fifth of the requests. A repeated request gets no bad reply: it would not be repeated again."""
    failures: list[Fault] = [
        Status(429),
        Status(500),
        Status(503, headers={"Retry-After": "0"}),
        Drop(),
        Envelope({"error": {"message": "overloaded", "code": 503}}),
        Envelope({"choices": []}),
    ]
    bad_replies: list[Fault] = [
        Says('{"C1": {"reason": "cut of', finish_reason="length"),
        Says(None, refusal="I would rather not."),
    ]
    kinds = failures if "Your earlier reply" in user_text(body) else [*failures, *bad_replies]
    return kinds[number % len(kinds)] if chance("fault", str(number)) < 0.2 else None


def failing_for(text: str, role: str) -> Callable[[int, dict[str, Any]], Fault | None]:
    """Return a script that gives unreadable replies to one role for the prompt with this text."""

    def script(number: int, body: dict[str, Any]) -> Fault | None:
        is_affected = role_of(body) == role and blocks(body)[:1] == [text]
        return Says("no idea") if is_affected else None

    return script


@pytest.mark.slow
def test_an_endpoint_that_fails_a_fifth_of_the_time_changes_no_result(
    demo_search: tuple[ModelHome, ModelServer, CommandResult], tmp_path: Path
) -> None:
    with ModelServer(faults=failing_a_fifth) as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *SMALL, "--llm-max-retries", "12")

        assert result.code == 0, result.err
        assert without_endpoint(home.best()) == without_endpoint(demo_search[0].best())
        assert home.export("demo_dataset")["best_rubrics"] == demo_search[0].export("demo_dataset")["best_rubrics"]
        calls = home.calls()
        assert sum(calls["retries"].to_pylist()) + sum(calls["asked_again"].to_pylist()) > 10


def test_a_refused_key_is_reported_in_one_line_with_endpoint_model_and_variable_after_one_request(
    tmp_path: Path,
) -> None:
    with ModelServer(faults=lambda number, body: Status(401, f"Incorrect API key: {KEY}")) as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO)

        assert result.code == 2
        assert result.err.count("\n") == 1
        assert all(word in result.err for word in (server.base_url, "scripted", "LLM_API_KEY"))
        assert KEY not in result.err + result.out
        assert len(server.requests) == 1
        assert not home.rows("demo_dataset/best_rubrics")


def test_without_fail_soft_a_prompt_that_cannot_be_graded_fails_and_the_others_succeed(tmp_path: Path) -> None:
    with ModelServer(faults=failing_for(text_of("moon-shape"), "verifier")) as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *SMALL, "--no-llm-fail-soft")

        assert result.code == 3
        status = {key: row["status"] for key, row in home.best().items()}
        assert status == {"moon-shape": "failed", "mutable-default": "done", "refund-reply": "done"}
        assert list(home.export("demo_dataset")["failed_prompts"]) == ["moon-shape"]


@pytest.mark.slow
def test_with_fail_soft_it_is_incomplete_and_a_later_run_grades_it(tmp_path: Path) -> None:
    fault_for_moon = failing_for(text_of("moon-shape"), "verifier")
    is_failing = True
    with ModelServer(faults=lambda number, body: fault_for_moon(number, body) if is_failing else None) as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *SMALL)
        first = home.best()
        is_failing = False
        later = home.search(DEMO, *SMALL)

        assert (result.code, later.code) == (0, 0)
        assert {key: row["status"] for key, row in first.items() if row["status"] != "done"} == {
            "moon-shape": "incomplete"
        }
        assert first["moon-shape"]["calls"]["failed"] == first["moon-shape"]["calls"]["verifier"] > 0
        assert "1: some requests were not answered" in result.out
        assert home.best()["moon-shape"]["status"] == "done"


@pytest.mark.slow
def test_a_prompt_with_an_unreadable_proposal_is_incomplete_and_a_later_run_completes_it(
    tmp_path: Path,
) -> None:
    fault_for_moon = failing_for(text_of("moon-shape"), "proposer")
    is_failing = True
    with ModelServer(faults=lambda number, body: fault_for_moon(number, body) if is_failing else None) as server:
        home = ModelHome(tmp_path, server.base_url)

        result = home.search(DEMO, *SMALL)
        first = {key: row["status"] for key, row in home.best().items()}
        is_failing, earlier_requests = False, len(server.requests)
        later = home.search(DEMO, *SMALL)

        assert (result.code, later.code) == (0, 0)
        assert first == {"moon-shape": "incomplete", "mutable-default": "done", "refund-reply": "done"}
        assert {blocks(body)[0] for body in server.requests[earlier_requests:]} == {text_of("moon-shape")}
        assert {row["status"] for row in home.best().values()} == {"done"}
        assert home.best()["moon-shape"]["calls"]["failed"] == 0


def text_of(prompt_id: str) -> str:
    """Return the text of a prompt of the demo as requests contain it."""
    prompts = json.loads(DEMO.read_text())["prompts"]
    return str(next(prompt["prompt"] for prompt in prompts if prompt["prompt_id"] == prompt_id)).strip()
