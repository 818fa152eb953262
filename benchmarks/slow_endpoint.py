"""The time of a search with a slow endpoint, compared with the minimum for its calls and with bare `AsyncOpenAI`.

Run `python -m benchmarks.slow_endpoint`. It runs `autosr search` with default options except for the endpoint. The same
command is then repeated with cached replies, which shows the time that is not spent on requests.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from benchmarks.client_speed import WORDS, measure_bare_client, sent_body, serve_endpoint
from benchmarks.measuring import autosr_command, benchmark_home, describe_machine, measure_command, write_dataset


def calls_of(folder: Path) -> tuple[int, int]:
    """Return the number of requests in all runs, and the number of cached calls."""
    store = TableStore(folder / "storage")
    requests = cached = 0
    for run in (folder / "storage" / "calls").iterdir():
        for _, rows in store.scan(TableName.calls(run.name), ["requests", "cached"]):
            requests += sum(rows["requests"].to_pylist())
            cached += sum(rows["cached"].to_pylist())
    return requests, cached


def measure(concurrency: int, latency: float, prompts: int) -> None:
    """Print one row of the table."""
    with benchmark_home() as (folder, variables), serve_endpoint(latency, answers_all_roles=True) as base_url:
        options = ["--backend", "llm", "--base-url", base_url, "--max-concurrency", str(concurrency), "--yes"]
        variables["LLM_API_KEY"] = "k"
        single = write_dataset(folder / "single.jsonl", 1)
        startup = measure_command(autosr_command("search", single, *options), variables)
        path = write_dataset(folder / "d.jsonl", prompts)
        before, _ = calls_of(folder)
        first = measure_command(autosr_command("search", path, *options), variables)
        requests = calls_of(folder)[0] - before
        # Removes the tables, but keeps the cached replies.
        (folder / "storage").rename(folder / "storage-of-before")
        repeated = measure_command(autosr_command("search", path, *options), variables)
        repeated_requests, cached = calls_of(folder)
        body = sent_body(Path(tempfile.mkdtemp(dir=folder)))
        bare_speed = asyncio.run(
            measure_bare_client(base_url, [f"{n} {WORDS}" for n in range(requests)], concurrency, body)
        )
    minimum = requests * latency / concurrency
    wall = first.wall - startup.wall
    print(
        f"| {concurrency} x {1000 * latency:.0f} ms, {prompts} prompts | {requests} | {minimum:.1f} | {bare_speed.wall:.1f} | {wall:.1f} "
        f"| {wall / max(minimum, bare_speed.wall):.2f} | {bare_speed.cpu:.1f} | {first.cpu - startup.cpu:.1f} "
        f"| {repeated.wall - startup.wall:.1f}, {repeated_requests} requests, {cached} cached |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument(
        "--endpoints", nargs="+", default=["64:0.05", "256:0.2"], help="concurrent requests : seconds per request"
    )
    arguments = parser.parse_args()
    print(f"{describe_machine()}; without the startup time of the command\n")
    print(
        "| | requests | minimum s | bare s | ours s | ours / the longer | bare: CPU s | ours | repeated, all cached: s |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for concurrency, latency in (pair.split(":") for pair in arguments.endpoints):
        measure(int(concurrency), float(latency), arguments.prompts)


if __name__ == "__main__":
    main()
