"""Compares ways to search on planted worlds: true tail accuracy against calls, as a table and a plot.

Run `python -m benchmarks.planted --worlds 40 --out benchmarks/results`. Seeds start at `--first-seed`: choose defaults on
some and report them on others.
"""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.planted_baselines import baselines
from benchmarks.planted_configurations import configurations
from benchmarks.planted_plot import plot
from benchmarks.planted_roles import PlantedRoles
from benchmarks.planted_search import Configuration, run
from benchmarks.planted_world import World, WorldSettings, accuracy_of_weights

YARDSTICK = "fit over all, 1 vote"
RESAMPLES = 2000


class Measured(NamedTuple):
    """One way to search over some worlds, in the order of their seeds."""

    name: str
    is_baseline: bool
    accuracy: list[float]
    calls: list[int]


def measure_baselines(worlds: Sequence[World]) -> list[Measured]:
    """Return the yardsticks on these worlds."""
    found: dict[str, Measured] = {}
    for world in worlds:
        for name, (weights, calls) in baselines(world).items():
            row = found.setdefault(name, Measured(name, True, [], []))
            row.accuracy.append(accuracy_of_weights(world.fresh, weights))
            row.calls.append(calls)
    return list(found.values())


async def measure(configuration: Configuration, worlds: Sequence[World]) -> Measured:
    """Return what a configuration comes to on these worlds."""
    row = Measured(configuration.name, False, [], [])
    for world in worlds:
        rubric, calls = await run(world, PlantedRoles(world), configuration)
        row.accuracy.append(world.true_accuracy(rubric))
        row.calls.append(calls)
    return row


def share_of(row: Measured, yardstick: Measured) -> tuple[float, float, float]:
    """Return the ratio of mean accuracies with its bootstrap 95% interval, worlds resampled in pairs."""
    mine, theirs = np.array(row.accuracy), np.array(yardstick.accuracy)
    drawn = np.random.default_rng(0).integers(0, len(mine), (RESAMPLES, len(mine)))
    low, high = np.quantile(mine[drawn].mean(axis=1) / theirs[drawn].mean(axis=1), [0.025, 0.975])
    return float(mine.mean() / theirs.mean()), float(low), float(high)


def table(rows: Iterable[Measured], yardstick: Measured) -> str:
    """Return the rows as markdown."""
    lines = ["| | calls: mean, most | true tail accuracy | share of the fit (95%) |", "|---|---|---|---|"]
    for row in rows:
        ratio, low, high = share_of(row, yardstick)
        calls = f"{np.mean(row.calls):.0f}, {max(row.calls)}"
        lines.append(f"| {row.name} | {calls} | {np.mean(row.accuracy):.3f} | {ratio:.3f} ({low:.3f} to {high:.3f}) |")
    return "\n".join(lines)


def main() -> None:
    """Measure every configuration at every size and noise, print tables and draw plots."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--first-seed", type=int, default=20_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[12])
    parser.add_argument("--noises", type=float, nargs="+", default=[0.6])
    parser.add_argument("--only", nargs="+", default=None, help="names of configurations; by default all")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in configurations() if asked.only is None or one.name in asked.only]
    for noise in asked.noises:
        for size in asked.sizes:
            seeds = range(asked.first_seed, asked.first_seed + asked.worlds)
            worlds = [World(WorldSettings(seed=seed, candidates=size, noise=noise)) for seed in seeds]
            rows = measure_baselines(worlds)
            yardstick = next(row for row in rows if row.name == YARDSTICK)
            rows += [asyncio.run(measure(individual, worlds)) for individual in chosen]
            title = f"{size} candidates, grade noise {noise}, {asked.worlds} worlds"
            text = f"### {title}\n\n{table(rows, yardstick)}\n"
            print(text, flush=True)
            name = f"planted-{size}-{noise}"
            (asked.out / f"{name}.md").write_text(text)
            points = [(row.name, float(np.mean(row.calls)), row.accuracy, row.is_baseline) for row in rows]
            plot(points, float(np.mean(yardstick.accuracy)), title, asked.out / f"{name}.png")


if __name__ == "__main__":
    main()
