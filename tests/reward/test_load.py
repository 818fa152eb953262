"""`autosr serve` under sustained load: no request is lost, and the memory of the server does not grow.

`make test-load` runs for ten minutes, or for `AUTOSR_LOAD_SECONDS` seconds; the slow tests run for twenty seconds.
"""

import asyncio
import os
import statistics
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.llm.server import ModelServer, reply_of
from tests.reward.score_server import TOKEN, ScoreServer
from tests.reward.searched_home import SearchedHome

CONCURRENCY = 32
LATENCY = 0.02
MAX_GROWTH = 24 * 2**20
"""Bytes that the server may grow after the first fifth: more than the noise of allocators, less than a leak per request."""


@dataclass
class Load:
    """The replies to the requests of a load test, and the memory of the server."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong_replies: list[Any] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Of each request."""
    memory: list[int] = field(default_factory=list)
    """Bytes, sampled 50 times."""
    duration: float = 0.0

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @property
    def settled_memory(self) -> list[int]:
        """Return the memory after the first fifth of the time."""
        return self.memory[len(self.memory) // 5 :]


async def send_requests(server: ScoreServer, prompt_ids: list[str], seconds: float) -> Load:
    """Keep as many requests running as the server allows, each with a different response."""
    load, numbers, started = Load(), count(), time.monotonic()

    async def send_repeatedly() -> None:
        # With one connection per worker, a request has left the server's limit before the worker sends the next one.
        connector = aiohttp.TCPConnector(limit=1)
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as session:
            while time.monotonic() - started < seconds:
                number = next(numbers)
                prompt_id = prompt_ids[number % len(prompt_ids)]
                body = {"prompt_id": prompt_id, "response": f"Response {number}. " + "x" * 500}
                sent_at = time.monotonic()
                async with session.post("/score", json=body) as response:
                    reply = await response.json()
                load.seconds.append(time.monotonic() - sent_at)
                load.statuses[response.status] += 1
                if reply.get("prompt_id") != prompt_id or not isinstance(reply.get("score"), float):
                    load.wrong_replies.append(reply)

    async def sample_memory() -> None:
        while time.monotonic() - started < seconds:
            load.memory.append(server.memory())
            await asyncio.sleep(seconds / 50)

    await asyncio.gather(sample_memory(), *(send_repeatedly() for _ in range(CONCURRENCY)))
    load.duration = time.monotonic() - started
    return load


def check_under_load(home: SearchedHome, seconds: float) -> None:
    """Put the server under load, check that no request is lost and memory does not grow, and print the figures."""
    model_calls = count()

    def counting_reply(body: dict[str, Any]) -> str:
        next(model_calls)
        return reply_of(body)

    with ModelServer(reply=counting_reply, latency=LATENCY) as model:
        model.requests, model.headers, model.times = deque(maxlen=1), deque(maxlen=1), deque(maxlen=1)  # type: ignore[assignment]
        with ScoreServer(home, ("--max-concurrent", str(CONCURRENCY)), base_url=model.base_url) as server:
            load = asyncio.run(send_requests(server, home.prompt_ids, seconds))
            with server.client() as client:
                metrics = client.get("/metrics").text
            code = server.stop()

    calls = next(model_calls)
    growth = max(load.settled_memory[-3:]) - min(load.settled_memory[:3])
    print_figures(load, calls)
    assert load.statuses == {200: load.requests}
    assert load.wrong_replies == []
    assert f'autosr_requests_total{{path="/score",status="200"}} {float(load.requests)}' in metrics
    assert f'autosr_responses_total{{outcome="scored"}} {float(load.requests)}' in metrics
    assert calls >= load.requests
    assert growth < MAX_GROWTH, f"grew by {growth / 2**20:.0f} MiB: {[size // 2**20 for size in load.memory]}"
    assert code == 0


def print_figures(load: Load, model_calls: int) -> None:
    settled, p99 = load.settled_memory, statistics.quantiles(load.seconds, n=100)[98]
    print(  # noqa: T201 - `make test-load` shows the figures
        f"\n{load.requests} requests in {load.duration:.0f} s, {CONCURRENCY} at a time: "
        f"{load.requests / load.duration:.0f} per second, "
        f"median {1000 * statistics.median(load.seconds):.0f} ms, p99 {1000 * p99:.0f} ms; {model_calls} model calls; "
        f"{settled[0] / 2**20:.0f} MiB after a fifth of the time, {settled[-1] / 2**20:.0f} MiB at the end"
    )


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_twenty_seconds_of_load_lose_no_request_and_memory_stays_flat(model_home: SearchedHome) -> None:
    check_under_load(model_home, 20)


@pytest.mark.load
@pytest.mark.timeout(0)
def test_ten_minutes_of_load_lose_no_request_and_memory_stays_flat(model_home: SearchedHome) -> None:
    check_under_load(model_home, float(os.environ.get("AUTOSR_LOAD_SECONDS", "600")))
