"""Searches of the command line with models behind the roles, which a real HTTP server on loopback answers."""

import json
from pathlib import Path

import pytest

from autosr_lib.llm.call_records import CALLS_SCHEMA
from tests.assets.commands import CommandResult
from tests.assets.model_home import DEMO, KEY, ModelHome, without_run, write_summeval
from tests.llm.server import ModelServer, role_of

ROLES = ("judge", "initializer", "proposer", "verifier")


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["demo", "summeval"])
def test_a_search_repeated_without_its_tables_sends_no_request_and_gets_the_same_rubrics(
    dataset: str, tmp_path: Path
) -> None:
    path = DEMO if dataset == "demo" else write_summeval(tmp_path, 20)
    with ModelServer() as server:
        home = ModelHome(tmp_path / "home", server.base_url)

        first = home.search(path)
        requests_of_first, export = len(server.requests), home.export(path.stem)
        home.delete_tables()
        second = home.search(path)

        assert (first.code, second.code) == (0, 0), first.err + second.err
        assert len(export["best_rubrics"]) == len(json.loads(path.read_text())["prompts"])
        assert requests_of_first > 100
        assert len(server.requests) == requests_of_first
        assert without_run(home.export(path.stem)) == without_run(export)
        assert export["run_manifest"]["deterministic"] is True


def test_every_request_is_in_the_record_of_the_run(demo_search: tuple[ModelHome, ModelServer, CommandResult]) -> None:
    home, server, result = demo_search

    calls = home.calls()

    assert result.code == 0, result.err
    assert calls.schema.remove_metadata() == CALLS_SCHEMA.remove_metadata()
    requests = [body for body in server.requests if role_of(body) != "preflight"]
    assert sum(calls["requests"].to_pylist()) == len(requests)
    recorded_roles, requested_roles = calls["role"].to_pylist(), [role_of(body) for body in requests]
    assert {role: recorded_roles.count(role) for role in ROLES} == {role: requested_roles.count(role) for role in ROLES}
    assert set(calls["prompt_id"].to_pylist()) == {"refund-reply", "moon-shape", "mutable-default"}
    assert set(calls["outcome"].to_pylist()) == {"good"}
    assert not any(calls["cached"].to_pylist())


def test_the_key_is_sent_but_never_printed_or_stored(demo_search: tuple[ModelHome, ModelServer, CommandResult]) -> None:
    home, server, result = demo_search

    files = [path for path in home.root.rglob("*") if path.is_file()]

    assert all(headers["Authorization"] == f"Bearer {KEY}" for headers in server.headers)
    assert KEY not in result.out + result.err
    assert any(path.name == "replies.sqlite" for path in files)
    assert [str(path) for path in files if KEY.encode() in path.read_bytes()] == []
