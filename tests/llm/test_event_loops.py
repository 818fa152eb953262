"""One client in several event loops and processes, and calls that are cancelled."""

import asyncio
import multiprocessing
import sys
from collections.abc import Callable

import pytest

from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.settings import LlmSettings
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import KEYS, ask_every_role, grade_candidates, grade_request, roles_of
from tests.llm.server import Status


def test_one_client_serves_several_event_loops_and_keeps_the_detected_capability(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(lambda n, body: Status(400, error="no json_schema here") if "response_format" in body else None)
    client = client_for(server, llm_cache=False)

    for loop in range(3):
        asyncio.run(ask_every_role(client))
        if loop == 0:
            sent = len(server.requests)

    assert len(client.calls.drain()) == 3 * 66
    assert len(server.requests) - sent == 2 * 66
    assert client._sender.budget.calls == len(server.requests)


def test_an_interrupted_event_loop_does_not_occupy_slots_in_the_next(serve: Serve, client_for: ClientFor) -> None:
    client = client_for(serve(latency=0.1), max_concurrency=2)

    async def interrupted() -> None:
        async with asyncio.timeout(0.15):
            await grade_candidates(client, 50)

    with pytest.raises(TimeoutError):
        asyncio.run(interrupted())

    assert len(asyncio.run(grade_candidates(client, 10))) == 10


async def test_a_call_outside_the_session_reports_how_to_open_it(serve: Serve, client_for: ClientFor) -> None:
    with pytest.raises(RuntimeError, match="async with client"):
        await roles_of(client_for(serve())).verifier.grade(grade_request())


async def test_the_reply_of_a_cancelled_call_is_cached(serve: Serve, client_for: ClientFor) -> None:
    server = serve(latency=0.2)
    client = client_for(server)
    verifier = roles_of(client).verifier

    async with client:
        call = asyncio.create_task(verifier.grade(grade_request()))
        await asyncio.sleep(0.1)
        call.cancel()
    async with client:
        grades = await verifier.grade(grade_request())

    assert set(grades) == set(KEYS)
    assert len(server.requests) == 1


def _grade_in_process(settings_json: str, count: int) -> None:
    client = ModelClient(LlmSettings.model_validate_json(settings_json))
    asyncio.run(grade_candidates(client, count))
    sys.exit(0 if client.cache.info().entries == count else 1)


def test_two_processes_share_a_cache(serve: Serve, settings_for: Callable[..., LlmSettings]) -> None:
    server = serve(latency=0.005)
    settings = settings_for(server)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_grade_in_process, args=(settings.model_dump_json(), 30)) for _ in range(2)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0]
    sent = len(server.requests)
    asyncio.run(grade_candidates(ModelClient(settings), 30))
    assert len(server.requests) == sent
