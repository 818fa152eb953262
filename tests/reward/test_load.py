"""`autosr serve` at its limit for a while: nothing is lost, and its memory stays where it was.

`make test-load` runs ten minutes, or as many seconds as `AUTOSR_LOAD_SECONDS` says; the slow tests run twenty seconds.
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
from tests.reward.searched import Searched
from tests.reward.serving import TOKEN, Serving

AT_ONCE = 32
LATENCY = 0.02
MOST_GROWTH = 24 * 2**20
"""Bytes that the server may grow by after the first fifth; allocators are not exact, a leak of every request is more."""


@dataclass
class Load:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[Any] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    lasted: float = 0.0


async def under_load(serving: Serving, prompt_ids: list[str], seconds: float) -> Load:
    """Keep as many requests under way as the server allows, each with a response of its own."""
    load, numbers, started = Load(), count(), time.monotonic()

    async def ask_on() -> None:
        # A connection of its own: one that is answered is through the gate before the next is sent.
        connector = aiohttp.TCPConnector(limit=1)
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(serving.url, connector=connector, headers=headers) as session:
            while time.monotonic() - started < seconds:
                number = next(numbers)
                asked = {
                    "prompt_id": prompt_ids[number % len(prompt_ids)],
                    "response": f"Response {number}. " + "x" * 500,
                }
                began = time.monotonic()
                async with session.post("/score", json=asked) as answer:
                    told = await answer.json()
                load.seconds.append(time.monotonic() - began)
                load.statuses[answer.status] += 1
                if told.get("prompt_id") != asked["prompt_id"] or not isinstance(told.get("score"), float):
                    load.wrong.append(told)

    async def watch() -> None:
        while time.monotonic() - started < seconds:
            load.memory.append(serving.memory())
            await asyncio.sleep(seconds / 50)

    await asyncio.gather(watch(), *(ask_on() for _ in range(AT_ONCE)))
    load.lasted = time.monotonic() - started
    return load


def check_under_load(home: Searched, seconds: float) -> None:
    """Load the server, see that nothing is lost and nothing grows, and print the figures."""
    asked = Counter[str]()

    def counted(body: dict[str, Any]) -> str:
        asked["verifier"] += 1
        return reply_of(body)

    prompt_ids = [entry["prompt_id"] for entry in home.said()["best_rubrics"]]
    with ModelServer(reply=counted, latency=LATENCY) as model:
        model.requests, model.headers, model.times = deque(maxlen=1), deque(maxlen=1), deque(maxlen=1)  # type: ignore[assignment]
        with Serving(home, ("--max-concurrent", str(AT_ONCE)), base_url=model.base_url) as serving:
            load = asyncio.run(under_load(serving, prompt_ids, seconds))
            with serving.client() as client:
                figures = client.get("/metrics").text
            code = serving.end()

    answered = sum(load.statuses.values())
    settled = load.memory[len(load.memory) // 5 :]
    growth = max(settled[-3:]) - min(settled[:3])
    print(  # noqa: T201 - `make test-load` shows the figures
        f"\n{answered} requests in {load.lasted:.0f} s at {AT_ONCE} at once: {answered / load.lasted:.0f} a second, "
        f"median {1000 * statistics.median(load.seconds):.0f} ms, p99 {1000 * statistics.quantiles(load.seconds, n=100)[98]:.0f} ms; "
        f"{asked['verifier']} model calls; {settled[0] / 2**20:.0f} MiB after a fifth, {settled[-1] / 2**20:.0f} MiB at the end"
    )
    assert load.statuses == {200: answered}
    assert load.wrong == []
    assert f'autosr_requests_total{{path="/score",status="200"}} {float(answered)}' in figures
    assert f'autosr_responses_total{{outcome="scored"}} {float(answered)}' in figures
    assert asked["verifier"] >= answered
    assert growth < MOST_GROWTH, f"grew by {growth / 2**20:.0f} MiB: {[one // 2**20 for one in load.memory]}"
    assert code == 0


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_twenty_seconds_at_the_limit_lose_nothing_and_memory_stays_flat(by_model: Searched) -> None:
    check_under_load(by_model, 20)


@pytest.mark.load
@pytest.mark.timeout(0)
def test_ten_minutes_at_the_limit_lose_nothing_and_memory_stays_flat(by_model: Searched) -> None:
    check_under_load(by_model, float(os.environ.get("AUTOSR_LOAD_SECONDS", "600")))
