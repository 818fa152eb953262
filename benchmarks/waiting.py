"""What each saving saves, and what waiting for the slowest prompt of a chunk costs, in hours of a slow endpoint.

Run `python -m benchmarks.waiting`. Planted worlds, 12 ranked candidates, our own engine; each request takes a random time
(log-normal, median 1 s, sigma 0.6: the slowest of a hundred takes four times as long) of a clock that is not the machine's. Requests of the
judge are none, as all candidates are ranked.
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
from benchmarks.virtual_clock import waited

MEDIAN, SIGMA = 1.0, 0.6
IN_FLIGHT = 64
"""Prompts under way at once, as in `prompt_rows.py`."""


class SlowRoles(PlantedRoles):
    """Planted roles behind an endpoint that takes its time, and takes only so many requests at once."""

    def __init__(self, *worlds: World, concurrency: int) -> None:
        super().__init__(*worlds)
        self.places = asyncio.Semaphore(concurrency)
        self.random = random.Random(7)
        self.by_prompt: dict[str, int] = {}
        self.busy = 0.0

    async def _slowly(self, answer: Awaitable[Any], prompt_id: str) -> Any:
        async with self.places:
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


class Searched(NamedTuple):
    """What a way to search came to."""

    accuracy: float
    calls: float
    spared: float
    """Requests that the grade bank spared."""
    seconds: float
    ideal: float
    """Seconds if the endpoint had always been kept busy."""


async def _limited(work: Callable[[Any], Awaitable[Any]], items: Iterable[Any]) -> None:
    """Do the work for all items, `IN_FLIGHT` at once, as a step over prompts does."""
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
        roles: who is asked.
        settings: of the search.
        chunk: prompts that go through each generation together; None lets every prompt go its own way.
    """
    structure, found = Structure(), dict[str, tuple[Any, SearchState]]()
    tasks: dict[str, SearchContext] = {}
    states: dict[str, SearchState] = {}

    async def first(world: World) -> None:
        preferences = await gather_preferences(world.prompt, ReferenceSettings(), roles)
        prepared = PreparedPrompt.of(world.prompt, preferences, NO_HOLDOUT, settings.objective)
        tasks[world.prompt_id] = SearchContext(prepared, roles.roles(), settings, structure)
        states[world.prompt_id] = await start_search(tasks[world.prompt_id])

    async def next_one(world: World) -> None:
        states[world.prompt_id] = await advance_search(tasks[world.prompt_id], states[world.prompt_id])

    async def last(world: World) -> None:
        state = states[world.prompt_id]
        found[world.prompt_id] = (await conclude_search(tasks[world.prompt_id], state), state)

    steps = [first, *[next_one] * structure.generations, last]

    async def whole(world: World) -> None:
        for step in steps:
            await step(world)

    if chunk is None:
        await _limited(whole, worlds)
        return found
    for start in range(0, len(worlds), chunk):
        for step in steps:
            await _limited(step, worlds[start : start + chunk])
    return found


def searched(worlds: Sequence[World], settings: SearchSettings, concurrency: int, chunk: int | None) -> Searched:
    """Return what a way to search came to over these worlds."""

    async def go() -> tuple[dict[str, tuple[Any, SearchState]], SlowRoles]:
        roles = SlowRoles(*worlds, concurrency=concurrency)
        return await _search(worlds, roles, settings, chunk), roles

    (found, roles), seconds = waited(go())
    accuracy = np.mean([world.true_accuracy(found[world.prompt_id][0].rubric) for world in worlds])
    spared = np.mean([state.calls.saved_by_bank for _, state in found.values()])
    return Searched(float(accuracy), roles.calls / len(worlds), float(spared), seconds, roles.busy / concurrency)


def savings() -> Mapping[str, SearchSettings]:
    """Return ours, and ours with each saving switched off or on."""
    return {
        "ours": SearchSettings(),
        "without pooled grading (a request a rubric)": SearchSettings(
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
    parser.add_argument("--prompts", type=int, default=200, help="of the table of chunks")
    parser.add_argument("--chunks", type=int, nargs="+", default=[25, 50, 100, 200])
    asked = parser.parse_args()

    def worlds_of(count: int) -> list[World]:
        seeds = range(asked.first_seed, asked.first_seed + count)
        return [World(WorldSettings(seed=seed, candidates=12, noise=0.6)) for seed in seeds]

    print(f"{describe_machine()}\n")
    worlds = worlds_of(asked.worlds)
    print(f"{asked.worlds} worlds, {asked.concurrency} requests at once\n")
    print("| | true tail accuracy | calls a prompt | seconds a prompt | against ours |")
    print("|---|---|---|---|---|", flush=True)
    base: Searched | None = None

    def row(name: str, accuracy: float, calls: float, seconds: float) -> None:
        each = seconds / len(worlds)
        known = base.seconds / len(worlds) if base else each
        print(f"| {name} | {accuracy:.3f} | {calls:.0f} | {each:.2f} | {each / known:.2f} x |", flush=True)

    for name, settings in savings().items():
        one = searched(worlds, settings, asked.concurrency, len(worlds))
        base = base or one
        row(name, one.accuracy, one.calls, one.seconds)
    assert base is not None  # noqa: S101 - ours comes first
    without_bank = base.calls + base.spared
    row(
        "without the grade bank (reckoned: every spared request asked)",
        base.accuracy,
        without_bank,
        base.seconds * without_bank / base.calls,
    )
    row("ours a second time, from the reply cache (reckoned: nothing is asked)", base.accuracy, 0, 0)
    row("ours a second time without the cache (reckoned: all is asked again)", base.accuracy, base.calls, base.seconds)
    one = searched(worlds, SearchSettings(), 1, len(worlds))
    row("the sequential way (one request at once)", one.accuracy, one.calls, one.seconds)

    worlds = worlds_of(asked.prompts)
    print(f"\n{asked.prompts} prompts, {asked.concurrency} requests at once\n")
    print("| chunk | seconds a prompt | above an endpoint always busy | above prompts that wait for nobody |")
    print("|---|---|---|---|", flush=True)
    free = searched(worlds, SearchSettings(), asked.concurrency, None)
    for chunk in [None, *asked.chunks]:
        one = free if chunk is None else searched(worlds, SearchSettings(), asked.concurrency, chunk)
        print(
            f"| {chunk or 'no waiting'} | {one.seconds / len(worlds):.2f} | {one.seconds / one.ideal - 1:+.1%} "
            f"| {one.seconds / free.seconds - 1:+.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
