"""Limits, event loops, and a run that ends the same however often calls fail."""

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from autosr_lib.errors import BudgetExhausted
from autosr_lib.llm import LlmSettings, ModelClient
from autosr_lib.llm.limits import AdaptiveLimit, RateWindow
from autosr_lib.llm.records import CALLS_SCHEMA, calls_table, sums_by_role
from autosr_lib.llm.settings import Role
from tests.llm.asking import grading_of, judging_of, proposing_of, roles_of, writing_of
from tests.llm.server import Drop, Envelope, Fault, ModelServer, Says, Status, chance, completion

Serve = Callable[..., ModelServer]
ClientFor = Callable[..., ModelClient]


async def asked_everything(client: ModelClient) -> list[Any]:
    roles = roles_of(client)
    async with client:
        return await asyncio.gather(
            roles.initializer.write(writing_of("a", "b")),
            *(roles.verifier.grade(grading_of(f"candidate {n}", vote)) for n in range(20) for vote in range(2)),
            *(roles.judge.prefer(judging_of(f"{n}", f"{n + 1}")) for n in range(20)),
            *(roles.proposer.propose(proposing_of(f"better {n}")) for n in range(5)),
        )


async def test_a_fifth_of_all_requests_failing_at_random_changes_no_answer(serve: Serve, client_for: ClientFor) -> None:
    kinds: list[Fault] = [
        Status(429),
        Status(500),
        Status(503),
        Drop(),
        Envelope({"error": {"message": "overloaded"}}),
        Envelope({**completion(""), "choices": []}),
        Says('{"C1": {"reason": "cut of', finish_reason="length"),
        Says("no JSON at all"),
    ]

    def script(number: int, body: dict[str, Any]) -> Fault | None:
        return kinds[number % len(kinds)] if chance(str(number)) < 0.2 else None

    expected = await asked_everything(client_for(serve(), llm_cache=False))
    client = client_for(serve(script), llm_cache=False, llm_max_retries=10)

    assert await asked_everything(client) == expected
    assert sum(row.retries + row.asked_again for row in client.calls.drain()) > 5


async def test_a_repeated_run_makes_no_request(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    first = await asked_everything(client_for(server))
    sent = len(server.requests)

    again = client_for(server)
    second = await asked_everything(again)

    assert second == first
    assert len(server.requests) == sent
    assert all(row.cached for row in again.calls.drain())


def test_one_client_serves_several_event_loops_and_keeps_what_it_learnt(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(400, error="no json_schema here") if "response_format" in body else None)
    client = client_for(server, llm_cache=False)

    for loop in range(3):
        asyncio.run(asked_everything(client))
        if loop == 0:
            sent = len(server.requests)

    assert len(client.calls.drain()) == 3 * 66
    assert len(server.requests) - sent == 2 * 66
    assert client.budget.calls == len(server.requests)


def test_a_loop_that_was_interrupted_does_not_hold_places_in_the_next(serve: Serve, client_for: ClientFor) -> None:
    client = client_for(serve(latency=0.1), max_concurrency=2)
    verifier = roles_of(client).verifier

    async def interrupted() -> None:
        async with client, asyncio.timeout(0.15):
            await asyncio.gather(*(verifier.grade(grading_of(f"{n}")) for n in range(50)))

    async def whole() -> int:
        async with client:
            return len(await asyncio.gather(*(verifier.grade(grading_of(f"{n}")) for n in range(10))))

    with pytest.raises(TimeoutError):
        asyncio.run(interrupted())

    assert asyncio.run(whole()) == 10


async def test_asking_outside_the_session_says_how_to_open_it(serve: Serve, client_for: ClientFor) -> None:
    with pytest.raises(RuntimeError, match="async with client"):
        await roles_of(client_for(serve())).verifier.grade(grading_of())


async def test_no_more_requests_are_under_way_than_allowed(serve: Serve, client_for: ClientFor) -> None:
    server = serve(latency=0.02)

    await asked_everything(client_for(server, max_concurrency=5))

    assert server.most_at_once == 5


async def test_the_limit_shrinks_on_429_and_grows_back(serve: Serve, client_for: ClientFor) -> None:
    server = serve([None] * 16 + [Status(429)] * 16, latency=0.02)
    client = client_for(server, max_concurrency=16, llm_cache=False)
    verifier = roles_of(client).verifier
    seen = [client.concurrency]

    async def watched(number: int) -> None:
        await verifier.grade(grading_of(f"{number}"))
        seen.append(client.concurrency)

    async with client:
        await asyncio.gather(*(watched(number) for number in range(400)))

    assert seen[0] == 16
    assert min(seen) <= 8
    assert seen[-1] > 12


async def test_a_volley_of_429_halves_the_limit_once() -> None:
    limit = AdaptiveLimit(16)
    async with asyncio.TaskGroup() as group:
        started = time.monotonic()

        async def throttled() -> None:
            async with limit.slot():
                await asyncio.sleep(0.01)
                limit.throttled(started)

        for _ in range(16):
            group.create_task(throttled())

    assert limit.limit == 8


async def test_a_cancelled_wait_gives_its_place_to_the_next() -> None:
    limit = AdaptiveLimit(1)
    entered: list[str] = []

    async def hold(name: str, seconds: float) -> None:
        async with limit.slot():
            entered.append(name)
            await asyncio.sleep(seconds)

    tasks = [asyncio.create_task(hold(name, 0.02)) for name in "abc"]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert entered == ["a", "c"]


async def test_no_window_of_a_minute_holds_more_than_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autosr_lib.llm.limits.WINDOW_SECONDS", 0.2)
    window = RateWindow(5)
    times: list[float] = []

    async def spend() -> None:
        await window.spend(1)
        times.append(time.monotonic())

    await asyncio.gather(*(spend() for _ in range(17)))

    times.sort()
    assert all(later - earlier >= 0.199 for earlier, later in zip(times, times[5:], strict=False))
    assert times[-1] - times[0] < 2


async def test_tokens_that_were_not_used_are_free_again() -> None:
    window = RateWindow(100)
    entry = await window.spend(90)
    window.correct(entry, 10)

    async with asyncio.timeout(0.5):
        await window.spend(80)


async def test_requests_per_minute_holds_over_event_loops(
    serve: Serve, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autosr_lib.llm.limits.WINDOW_SECONDS", 0.5)
    server = serve()
    client = client_for(server, requests_per_minute=4)
    verifier = roles_of(client).verifier

    async with client:
        for number in range(9):
            await verifier.grade(grading_of(f"{number}"))

    assert server.times[4] - server.times[0] >= 0.45
    assert server.times[8] - server.times[4] >= 0.45


async def test_every_call_leaves_a_row_and_the_sums_agree(serve: Serve, client_for: ClientFor) -> None:
    server = serve([None, Status(500)])
    client = client_for(server, prices={"scripted": {"prompt": 1.0, "completion": 2.0}})

    await asked_everything(client)
    await asked_everything(client)

    rows = client.calls.drain()
    table = calls_table(rows)
    assert table.schema == CALLS_SCHEMA
    assert table.num_rows == len(rows) == 132
    sums = sums_by_role(rows)
    assert sums == dict(client.calls.totals)
    assert sums[Role.VERIFIER].calls == 80
    assert sums[Role.VERIFIER].cached == 40
    assert sum(one.requests for one in sums.values()) == len(server.requests) == 67
    assert sum(one.prompt_tokens for one in sums.values()) == 6600
    assert client.budget.cost == pytest.approx(66 * (100 * 1.0 + 20 * 2.0) / 1e6)
    assert client.calls.drain() == []


async def test_a_reply_without_usage_is_counted_by_its_length(serve: Serve, client_for: ClientFor) -> None:
    body = completion('{"reason": "r", "verdict": "A"}')
    del body["usage"]
    client = client_for(serve([Envelope(body)]))

    async with client:
        await roles_of(client).judge.prefer(judging_of())

    row = client.calls.drain()[0]
    assert row.prompt_tokens > 200
    assert row.completion_tokens == 8


async def test_each_role_is_asked_with_its_own_settings(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    client = client_for(
        server,
        model_judge="judge-model",
        role_default={"seed": 5, "max_tokens": 700, "extra_body": {"provider": {"sort": "price"}}},
        role_judge={"temperature": 1.5, "reasoning_effort": "low", "extra_body": {"top_k": 3}},
    )
    roles = roles_of(client)

    async with client:
        await roles.judge.prefer(judging_of())
        await roles.verifier.grade(grading_of(vote=2))

    judge, verifier = server.requests
    assert judge["model"] == "judge-model"
    assert (judge["temperature"], judge["reasoning_effort"], judge["top_k"]) == (1.5, "low", 3)
    assert judge["provider"] == verifier["provider"] == {"sort": "price"}
    assert (judge["seed"], verifier["seed"]) == (5, 7)
    assert (verifier["model"], verifier["max_tokens"]) == ("scripted", 700)
    assert "reasoning_effort" not in verifier


def _in_another_process(dump: str, count: int) -> None:
    client = ModelClient(LlmSettings.model_validate_json(dump))
    verifier = roles_of(client).verifier

    async def run() -> None:
        async with client:
            await asyncio.gather(*(verifier.grade(grading_of(f"{n}")) for n in range(count)))

    asyncio.run(run())
    sys.exit(0 if client.cache.info().entries == count else 1)


def test_two_processes_share_a_cache(serve: Serve, settings_for: Callable[..., LlmSettings]) -> None:
    server = serve(latency=0.005)
    settings = settings_for(server)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_in_another_process, args=(settings.model_dump_json(), 30)) for _ in range(2)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0]
    sent = len(server.requests)
    _ask_all(ModelClient(settings), 30)
    assert len(server.requests) == sent


def _ask_all(client: ModelClient, count: int) -> None:
    verifier = roles_of(client).verifier

    async def run() -> None:
        async with client:
            await asyncio.gather(*(verifier.grade(grading_of(f"{n}")) for n in range(count)))

    asyncio.run(run())


def test_a_budget_holds_over_event_loops(serve: Serve, client_for: ClientFor) -> None:
    client = client_for(serve(), max_calls=5, llm_cache=False)

    _ask_all(client, 3)

    with pytest.raises(BudgetExhausted, match="max_calls of the run is 5; 5 spent"):
        _ask_all(client, 3)


def test_settings_and_records_hold_no_key(serve: Serve, client_for: ClientFor) -> None:
    client = client_for(serve())
    _ask_all(client, 3)

    told = client.settings.model_dump_json() + json.dumps([str(row) for row in client.calls.drain()]) + repr(client)

    assert "sk-secret" not in told
