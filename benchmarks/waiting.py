"""Measures the effect of each saving, and the cost of waiting for the slowest prompt of a chunk, on a slow endpoint.

Run `python -m benchmarks.waiting`. Planted worlds of 12 ranked candidates, so that the judge is not asked. Each request
takes a random time (log-normal, median 1 s, sigma 0.6: the slowest of a hundred takes four times as long) on a virtual clock.
"""

import argparse
import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import Grading, GradingSettings, ReferenceSettings
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import EvolutionSettings, SearchSettings, Structure
from autosr_lib.search.state import SearchState
from benchmarks.measuring import describe_machine
from benchmarks.planted_roles import PlantedRoles
from benchmarks.planted_search import NO_HOLDOUT
from benchmarks.planted_world import World, WorldSettings
from benchmarks.virtual_clock import run_on_virtual_clock

MEDIAN, SIGMA = 1.0, 0.6
IN_FLIGHT = 64
"""Prompts searched at once, as in a run."""


class SlowRoles(PlantedRoles):
    """Planted roles behind a slow endpoint with a limited number of concurrent requests."""

    def __init__(self, *worlds: World, concurrency: int) -> None:
        super().__init__(*worlds)
        self.slots = asyncio.Semaphore(concurrency)
        self.random = random.Random(7)
        self.by_prompt: dict[str, int] = {}
        self.busy = 0.0

    async def _slowly(self, answer: Awaitable[Any], prompt_id: str) -> Any:
        async with self.slots:
            seconds = self.random.lognormvariate(np.log(MEDIAN), SIGMA)
            self.busy += seconds
            self.by_prompt[prompt_id] = self.by_prompt.get(prompt_id, 0) + 1
            await asyncio.sleep(seconds)
            return await answer

    async def write(self, request: Any) -> Any:
        """Answer slowly."""
        return await self._slowly(super().write(request), request.prompt_id)

    async def propose(self, request: Any) -> Any:
        """Answer slowly."""
        return await self._slowly(super().propose(request), request.prompt_id)

    async def grade(self, request: Any) -> Any:
        """Answer slowly."""
        return await self._slowly(super().grade(request), request.prompt_id)


class SearchFigures(NamedTuple):
    """The figures of a search configuration."""

    accuracy: float
    calls: float
    saved: float
    """Requests per prompt that the grade bank saved."""
    seconds: float
    ideal: float
    """Seconds if the endpoint were always busy."""


async def _limited(work: Callable[[Any], Awaitable[Any]], items: Iterable[Any]) -> None:
    """Do the work for all items, at most `IN_FLIGHT` at once."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


async def _search(
    worlds: Sequence[World], roles: SlowRoles, settings: SearchSettings, chunk: int | None
) -> dict[str, tuple[Any, SearchState]]:
    """Return the conclusion and the last state of every world's prompt.

    Args:
        worlds: one prompt each.
        roles: the roles of these worlds.
        settings: of the search.
        chunk: number of prompts that complete each generation together; None searches every prompt independently.
    """
    structure, results = Structure(), dict[str, tuple[Any, SearchState]]()
    contexts: dict[str, SearchContext] = {}
    states: dict[str, SearchState] = {}

    async def start(world: World) -> None:
        preferences = await gather_preferences(world.prompt, ReferenceSettings(), roles)
        prepared = PreparedPrompt.of(world.prompt, preferences, NO_HOLDOUT, settings.objective)
        contexts[world.prompt_id] = SearchContext(prepared, roles.roles(), settings, structure)
        states[world.prompt_id] = await start_search(contexts[world.prompt_id])

    async def advance(world: World) -> None:
        states[world.prompt_id] = await advance_search(contexts[world.prompt_id], states[world.prompt_id])

    async def conclude(world: World) -> None:
        state = states[world.prompt_id]
        results[world.prompt_id] = (await conclude_search(contexts[world.prompt_id], state), state)

    steps = [start, *[advance] * structure.generations, conclude]

    async def search_alone(world: World) -> None:
        for step in steps:
            await step(world)

    if chunk is None:
        await _limited(search_alone, worlds)
        return results
    for start in range(0, len(worlds), chunk):
        for step in steps:
            await _limited(step, worlds[start : start + chunk])
    return results


def measure_search(
    worlds: Sequence[World], settings: SearchSettings, concurrency: int, chunk: int | None
) -> SearchFigures:
    """Return the figures of a search configuration over these worlds."""

    async def go() -> tuple[dict[str, tuple[Any, SearchState]], SlowRoles]:
        roles = SlowRoles(*worlds, concurrency=concurrency)
        return await _search(worlds, roles, settings, chunk), roles

    (results, roles), seconds = run_on_virtual_clock(go())
    accuracy = np.mean([world.true_accuracy(results[world.prompt_id][0].rubric) for world in worlds])
    saved = np.mean([state.calls.saved_by_bank for _, state in results.values()])
    return SearchFigures(float(accuracy), roles.calls / len(worlds), float(saved), seconds, roles.busy / concurrency)


def savings() -> Mapping[str, SearchSettings]:
    """Return our configuration, and variants with one saving switched off or on."""
    return {
        "ours": SearchSettings(),
        "without pooled grading (one request per rubric)": SearchSettings(
            grading=GradingSettings(grading=Grading.PER_RUBRIC)
        ),
        "without free modes (reweight, gather)": SearchSettings(evolution=EvolutionSettings(free_modes=())),
        "with racing, which is off by default": SearchSettings(evolution=EvolutionSettings(racing=True)),
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=60_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--prompts", type=int, default=200, help="prompts in the table of chunks")
    parser.add_argument("--chunks", type=int, nargs="+", default=[25, 50, 100, 200])
    options = parser.parse_args()

    def worlds_of(count: int) -> list[World]:
        seeds = range(options.first_seed, options.first_seed + count)
        return [World(WorldSettings(seed=seed, candidates=12, noise=0.6)) for seed in seeds]

    print(f"{describe_machine()}\n")
    print(f"{options.worlds} worlds, {options.concurrency} requests at a time\n")
    print_savings(worlds_of(options.worlds), options.concurrency)
    print(f"\n{options.prompts} prompts, {options.concurrency} requests at a time\n")
    print_chunks(worlds_of(options.prompts), options.concurrency, options.chunks)


def print_savings(worlds: Sequence[World], concurrency: int) -> None:
    """Print a table of the effect of each saving."""
    print("| | true tail accuracy | calls per prompt | seconds per prompt | relative to ours |")
    print("|---|---|---|---|---|", flush=True)
    base: SearchFigures | None = None

    def row(name: str, accuracy: float, calls: float, seconds: float) -> None:
        each = seconds / len(worlds)
        base_each = base.seconds / len(worlds) if base else each
        print(f"| {name} | {accuracy:.3f} | {calls:.0f} | {each:.2f} | {each / base_each:.2f} x |", flush=True)

    for name, settings in savings().items():
        figures = measure_search(worlds, settings, concurrency, len(worlds))
        base = base or figures
        row(name, figures.accuracy, figures.calls, figures.seconds)
    assert base is not None  # noqa: S101 - our configuration comes first
    without_bank = base.calls + base.saved
    row(
        "without the grade bank (calculated: every saved request is made)",
        base.accuracy,
        without_bank,
        base.seconds * without_bank / base.calls,
    )
    row("ours a second time, from the reply cache (calculated: no request is made)", base.accuracy, 0, 0)
    uncached = "ours a second time without the cache (calculated: every request is made again)"
    row(uncached, base.accuracy, base.calls, base.seconds)
    figures = measure_search(worlds, SearchSettings(), 1, len(worlds))
    row("sequentially (one request at a time)", figures.accuracy, figures.calls, figures.seconds)


def print_chunks(worlds: Sequence[World], concurrency: int, chunks: Sequence[int]) -> None:
    """Print a table of the waiting time with each number of prompts per chunk."""
    print("| chunk | seconds per prompt | more than with a busy endpoint | more than with independent prompts |")
    print("|---|---|---|---|", flush=True)
    independent = measure_search(worlds, SearchSettings(), concurrency, None)
    for chunk in [None, *chunks]:
        is_independent = chunk is None
        figures = independent if is_independent else measure_search(worlds, SearchSettings(), concurrency, chunk)
        print(
            f"| {chunk or 'no waiting'} | {figures.seconds / len(worlds):.2f} "
            f"| {figures.seconds / figures.ideal - 1:+.1%} "
            f"| {figures.seconds / independent.seconds - 1:+.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
