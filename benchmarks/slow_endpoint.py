"""A whole search against a slow endpoint, beside the least that its calls can take and bare AsyncOpenAI.

Run `python -m benchmarks.slow_endpoint`. It is `autosr search` with all its options at their defaults but the endpoint's; the same command
again is answered from the cache, which tells what of the time is not the endpoint's.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from autosr_lib.storage.store import TableStore
from benchmarks.client_speed import WORDS, bare, endpoint, sent_body
from benchmarks.measuring import autosr, home, machine, used_by, write_dataset


def calls_of(folder: Path) -> tuple[int, int]:
    """Return the requests of all runs, and the calls answered from the cache."""
    store = TableStore(folder / "storage")
    requests = cached = 0
    for run in (folder / "storage" / "calls").iterdir():
        for _, rows in store.scan(f"calls/{run.name}", ["requests", "cached"]):
            requests += sum(rows["requests"].to_pylist())
            cached += sum(rows["cached"].to_pylist())
    return requests, cached


def measure(concurrency: int, latency: float, prompts: int) -> None:
    """Print one row of the table."""
    with home() as (folder, variables), endpoint(latency, is_sound=True) as base_url:
        told = ["--backend", "llm", "--base-url", base_url, "--max-concurrency", str(concurrency), "--yes"]
        variables["LLM_API_KEY"] = "k"
        one = write_dataset(folder / "one.jsonl", 1)
        startup = used_by(autosr("search", one, *told), variables)
        path = write_dataset(folder / "d.jsonl", prompts)
        before, _ = calls_of(folder)
        first = used_by(autosr("search", path, *told), variables)
        requests = calls_of(folder)[0] - before
        # Every table is forgotten, the replies are not.
        (folder / "storage").rename(folder / "storage-of-before")
        again = used_by(autosr("search", path, *told), variables)
        asked, cached = calls_of(folder)
        body = sent_body(Path(tempfile.mkdtemp(dir=folder)))
        alone = asyncio.run(bare(base_url, [f"{n} {WORDS}" for n in range(requests)], concurrency, body))
    least = requests * latency / concurrency
    wall = first.wall - startup.wall
    print(
        f"| {concurrency} x {1000 * latency:.0f} ms, {prompts} prompts | {requests} | {least:.1f} | {alone.wall:.1f} | {wall:.1f} "
        f"| {wall / max(least, alone.wall):.2f} | {alone.cpu:.1f} | {first.cpu - startup.cpu:.1f} "
        f"| {again.wall - startup.wall:.1f}, {asked} asked, {cached} cached |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument(
        "--endpoints", nargs="+", default=["64:0.05", "256:0.2"], help="requests at once : seconds of each"
    )
    asked = parser.parse_args()
    print(f"{machine()}; the command's start is taken off\n")
    print(
        "| | requests | least s | bare s | ours s | ours / the longer | bare: CPU s | ours | again, all from the cache: s |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for concurrency, latency in (one.split(":") for one in asked.endpoints):
        measure(int(concurrency), float(latency), asked.prompts)


if __name__ == "__main__":
    main()
