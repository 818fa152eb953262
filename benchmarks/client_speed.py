"""What our client costs beside bare AsyncOpenAI on aiohttp, and how near a slow endpoint's limit it comes.

Run `python -m benchmarks.client_speed`. The endpoint is a server in a process of its own on loopback. Ours does what a run
does: renders the template, looks into the cache on disk, reads and checks the reply, keeps it, and records the call.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import openai

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.roles import GradeRequest
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.roles import llm_roles
from autosr_lib.llm.settings import LlmSettings
from benchmarks.measuring import machine
from tests.llm.server import ModelServer

CRITERIA = tuple(Criterion(criterion_id=f"c{n}", text=f"The response covers point {n}.", weight=1) for n in (1, 2, 3))
GRADES = json.dumps({f"C{n}": {"reason": "seen", "grade": 4} for n in (1, 2, 3)})
WORDS = "word " * 200


class Speed(NamedTuple):
    """One round of calls."""

    wall: float
    cpu: float


def _reply(_: object) -> str:
    return GRADES


def _serve(pipe: Connection, latency: float, is_sound: bool) -> None:
    with ModelServer(reply=None if is_sound else _reply, latency=latency) as server:
        pipe.send(server.base_url)
        pipe.recv()


@contextmanager
def endpoint(latency: float, *, is_sound: bool = False) -> Iterator[str]:
    """Yield the address of a server that answers after `latency` seconds: all roles, or grades only."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, latency, is_sound), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        process.join(10)


async def bare(base_url: str, texts: Sequence[str], concurrency: int, body: dict[str, object]) -> Speed:
    """Send as many bytes as ours does, with nothing around it."""
    places = asyncio.Semaphore(concurrency)
    client = openai.AsyncOpenAI(
        api_key="k",
        base_url=base_url,
        max_retries=0,
        timeout=None,
        http_client=openai.DefaultAioHttpClient(timeout=None),
    )

    async def ask(text: str) -> None:
        async with places:
            messages = [*body["messages"][:-1], {"role": "user", "content": text}]  # type: ignore[index]
            await client.chat.completions.create(**{**body, "messages": messages})  # type: ignore[call-overload]

    async with client:
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(ask(text) for text in texts))
        return Speed(time.perf_counter() - started, time.process_time() - cpu)


async def ours(client: ModelClient, texts: Sequence[str]) -> Speed:
    """Grade each text."""
    verifier = llm_roles(client, client.settings, GradingSettings()).verifier
    async with client:
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(
            *(verifier.grade(GradeRequest("p1", "Explain rain.", text, CRITERIA, 0)) for text in texts)
        )
        return Speed(time.perf_counter() - started, time.process_time() - cpu)


def sent_body(folder: Path) -> dict[str, object]:
    """Return the body of one request of ours, so that bare sends the like."""
    with ModelServer(reply=_reply) as server:
        client = ModelClient(LlmSettings(base_url=server.base_url, cache_dir=str(folder)), api_key="k")
        asyncio.run(ours(client, [WORDS]))
        return server.requests[-1]


def compare(concurrency: int, latency: float, calls: int, rounds: int) -> None:
    """Print one row of the table: medians over rounds in turn."""
    found: dict[str, list[Speed]] = {"bare": [], "ours": [], "again": []}
    with tempfile.TemporaryDirectory() as name, endpoint(latency) as base_url:
        body = sent_body(Path(name) / "one")
        user = str(body["messages"][-1]["content"])  # type: ignore[index]
        for turn in range(rounds + 1):
            texts = [f"{turn} {number} {WORDS}" for number in range(calls)]
            like = [user.replace(WORDS.strip(), text) for text in texts]
            settings = LlmSettings(
                base_url=base_url, max_concurrency=concurrency, cache_dir=str(Path(name) / str(turn))
            )
            client = ModelClient(settings, api_key="k")
            one = (asyncio.run(bare(base_url, like, concurrency, body)), asyncio.run(ours(client, texts)))
            again = asyncio.run(ours(client, texts))
            if turn:  # the first round warms up
                for key, speed in zip(found, (*one, again), strict=True):
                    found[key].append(speed)
    each = {key: statistics.median(s.cpu for s in speeds) / calls * 1000 for key, speeds in found.items()}
    ratio = statistics.median(o.cpu / b.cpu for o, b in zip(found["ours"], found["bare"], strict=True))
    rate = {key: calls / statistics.median(s.wall for s in speeds) for key, speeds in found.items()}
    walls = statistics.median(o.wall / b.wall for o, b in zip(found["ours"], found["bare"], strict=True))
    print(
        f"| {concurrency} x {1000 * latency:.0f} ms | {each['bare']:.2f} | {each['ours']:.2f} | {ratio:.2f} "
        f"| {concurrency / latency if latency else 0:.0f} | {rate['bare']:.0f} | {rate['ours']:.0f} | {walls:.2f} "
        f"| {rate['again']:.0f}, {each['again']:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--endpoints", nargs="+", default=["64:0.05", "256:0.2", "32:1"])
    asked = parser.parse_args()
    print(f"{machine()}; {asked.calls} calls, median of {asked.rounds} rounds in turn\n")
    print(
        "| | bare: CPU ms a call | ours | ratio | limit, calls/s | bare | ours | wall, ours/bare | cached: calls/s, CPU ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for concurrency, latency in (one.split(":") for one in asked.endpoints):
        compare(int(concurrency), float(latency), asked.calls, asked.rounds)


if __name__ == "__main__":
    main()
