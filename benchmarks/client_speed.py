"""The speed of our client compared with bare `AsyncOpenAI` over aiohttp, and with the limit of a slow endpoint.

Run `python -m benchmarks.client_speed`. The endpoint is a server on loopback in a separate process. Our client does what
it does in a run: it renders the template, looks up the cache on disk, validates the reply, stores it, and records the call.
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
from benchmarks.measuring import describe_machine
from tests.llm.server import ModelServer

CRITERIA = tuple(Criterion(criterion_id=f"c{n}", text=f"The response covers point {n}.", weight=1) for n in (1, 2, 3))
GRADES = json.dumps({f"C{n}": {"reason": "seen", "grade": 4} for n in (1, 2, 3)})
WORDS = "word " * 200


class Speed(NamedTuple):
    """Wall time and processor time of one round of calls, in seconds."""

    wall: float
    cpu: float


def _reply(_: object) -> str:
    return GRADES


def _serve(pipe: Connection, latency: float, answers_all_roles: bool) -> None:
    with ModelServer(reply=None if answers_all_roles else _reply, latency=latency) as server:
        pipe.send(server.base_url)
        pipe.recv()


@contextmanager
def serve_endpoint(latency: float, *, answers_all_roles: bool = False) -> Iterator[str]:
    """Yield the address of a server that answers after `latency` seconds, either all roles or only the verifier."""
    parent, child = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(child, latency, answers_all_roles), daemon=True
    )
    process.start()
    try:
        yield parent.recv()
    finally:
        parent.send("end")
        process.join(10)


async def measure_bare_client(base_url: str, texts: Sequence[str], concurrency: int, body: dict[str, object]) -> Speed:
    """Return the speed of the bare client, which sends requests of the same size.

    Args:
        base_url: address of the endpoint.
        texts: the user's message of each request.
        concurrency: number of concurrent requests.
        body: a request of our client; only its user's message is replaced.
    """
    slots = asyncio.Semaphore(concurrency)
    client = openai.AsyncOpenAI(
        api_key="k",
        base_url=base_url,
        max_retries=0,
        timeout=None,
        http_client=openai.DefaultAioHttpClient(timeout=None),
    )

    async def ask(text: str) -> None:
        async with slots:
            messages = [*body["messages"][:-1], {"role": "user", "content": text}]  # type: ignore[index]
            await client.chat.completions.create(**{**body, "messages": messages})  # type: ignore[call-overload]

    async with client:
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(ask(text) for text in texts))
        return Speed(time.perf_counter() - started, time.process_time() - cpu)


async def measure_our_client(client: ModelClient, texts: Sequence[str]) -> Speed:
    """Return the speed of our client, which grades each text."""
    verifier = llm_roles(client, client.settings, GradingSettings()).verifier
    async with client:
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(
            *(verifier.grade(GradeRequest("p1", "Explain rain.", text, CRITERIA, 0)) for text in texts)
        )
        return Speed(time.perf_counter() - started, time.process_time() - cpu)


def sent_body(folder: Path) -> dict[str, object]:
    """Return the body of one request of our client."""
    with ModelServer(reply=_reply) as server:
        client = ModelClient(LlmSettings(base_url=server.base_url, cache_dir=str(folder)), api_key="k")
        asyncio.run(measure_our_client(client, [WORDS]))
        return server.requests[-1]


def compare(concurrency: int, latency: float, calls: int, rounds: int) -> None:
    """Print one row of the table: medians over alternating rounds."""
    speeds: dict[str, list[Speed]] = {"bare": [], "ours": [], "cached": []}
    with tempfile.TemporaryDirectory() as name, serve_endpoint(latency) as base_url:
        body = sent_body(Path(name) / "first")
        user = str(body["messages"][-1]["content"])  # type: ignore[index]
        for round_number in range(rounds + 1):
            texts = [f"{round_number} {number} {WORDS}" for number in range(calls)]
            messages = [user.replace(WORDS.strip(), text) for text in texts]
            settings = LlmSettings(
                base_url=base_url, max_concurrency=concurrency, cache_dir=str(Path(name) / str(round_number))
            )
            client = ModelClient(settings, api_key="k")
            measured = {
                "bare": asyncio.run(measure_bare_client(base_url, messages, concurrency, body)),
                "ours": asyncio.run(measure_our_client(client, texts)),
                "cached": asyncio.run(measure_our_client(client, texts)),
            }
            if round_number:  # the first round is a warm-up
                for key, speed in measured.items():
                    speeds[key].append(speed)
    pairs = list(zip(speeds["ours"], speeds["bare"], strict=True))
    cpu = {key: statistics.median(speed.cpu for speed in rows) / calls * 1000 for key, rows in speeds.items()}
    rate = {key: calls / statistics.median(speed.wall for speed in rows) for key, rows in speeds.items()}
    cpu_ratio = statistics.median(ours_speed.cpu / bare_speed.cpu for ours_speed, bare_speed in pairs)
    wall_ratio = statistics.median(ours_speed.wall / bare_speed.wall for ours_speed, bare_speed in pairs)
    print(
        f"| {concurrency} x {1000 * latency:.0f} ms | {cpu['bare']:.2f} | {cpu['ours']:.2f} | {cpu_ratio:.2f} "
        f"| {concurrency / latency if latency else 0:.0f} | {rate['bare']:.0f} | {rate['ours']:.0f} | {wall_ratio:.2f} "
        f"| {rate['cached']:.0f}, {cpu['cached']:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--endpoints", nargs="+", default=["64:0.05", "256:0.2", "32:1"])
    options = parser.parse_args()
    print(f"{describe_machine()}; {options.calls} calls, median of {options.rounds} alternating rounds\n")
    print(
        "| | bare: CPU ms per call | ours | ratio | limit, calls/s | bare | ours | wall, ours/bare | cached: calls/s, CPU ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for concurrency, latency in (pair.split(":") for pair in options.endpoints):
        compare(int(concurrency), float(latency), options.calls, options.rounds)


if __name__ == "__main__":
    main()
