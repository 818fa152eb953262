"""Limits on concurrent requests, and on requests and tokens per minute."""

import asyncio
import time

import pytest

from autosr_lib.llm.endpoint.concurrency_limit import ConcurrencyLimit
from autosr_lib.llm.endpoint.rate_limit import RateWindow
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import ask_every_role, grade_request, roles_of
from tests.llm.server import Status


async def test_there_are_no_more_concurrent_requests_than_allowed(serve: Serve, client_for: ClientFor) -> None:
    server = serve(latency=0.02)

    await ask_every_role(client_for(server, max_concurrency=5))

    assert server.max_concurrent == 5


async def test_the_concurrency_limit_shrinks_after_429_and_grows_back(serve: Serve, client_for: ClientFor) -> None:
    server = serve([None] * 16 + [Status(429)] * 16, latency=0.02)
    client = client_for(server, max_concurrency=16, llm_cache=False)
    verifier = roles_of(client).verifier
    limits = [client._sender.concurrency.current]

    async def grade_and_observe(number: int) -> None:
        await verifier.grade(grade_request(f"{number}"))
        limits.append(client._sender.concurrency.current)

    async with client:
        await asyncio.gather(*(grade_and_observe(number) for number in range(400)))

    assert limits[0] == 16
    assert min(limits) <= 8
    assert limits[-1] > 12


async def test_several_concurrent_429_halve_the_limit_once() -> None:
    limit = ConcurrencyLimit(16)
    async with asyncio.TaskGroup() as group:
        sent_at = time.monotonic()

        async def throttled() -> None:
            async with limit.slot():
                await asyncio.sleep(0.01)
                limit.record_throttling(sent_at)

        for _ in range(16):
            group.create_task(throttled())

    assert limit.current == 8


async def test_a_cancelled_wait_passes_its_slot_to_the_next() -> None:
    limit = ConcurrencyLimit(1)
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


async def test_no_window_exceeds_the_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autosr_lib.llm.endpoint.rate_limit.WINDOW_SECONDS", 0.2)
    window = RateWindow(5)
    times: list[float] = []

    async def reserve() -> None:
        await window.reserve(1)
        times.append(time.monotonic())

    await asyncio.gather(*(reserve() for _ in range(17)))

    times.sort()
    assert all(later - earlier >= 0.199 for earlier, later in zip(times, times[5:], strict=False))
    assert times[-1] - times[0] < 2


async def test_tokens_that_were_not_used_can_be_reserved_again() -> None:
    window = RateWindow(100)
    reservation = await window.reserve(90)
    window.settle(reservation, 10)

    async with asyncio.timeout(0.5):
        await window.reserve(80)


async def test_requests_per_minute_is_respected_by_the_client(
    serve: Serve, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autosr_lib.llm.endpoint.rate_limit.WINDOW_SECONDS", 0.5)
    server = serve()
    client = client_for(server, requests_per_minute=4)
    verifier = roles_of(client).verifier

    async with client:
        for number in range(9):
            await verifier.grade(grade_request(f"{number}"))

    assert server.times[4] - server.times[0] >= 0.45
    assert server.times[8] - server.times[4] >= 0.45
