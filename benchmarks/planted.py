"""Compares search configurations on planted worlds: true tail accuracy against calls, as a table and a plot.

Run `python -m benchmarks.planted --worlds 40 --out benchmarks/results`. Seeds start at `--first-seed`: choose defaults
on some seeds and report results on others.
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
from benchmarks.planted_search import Configuration, search_world
from benchmarks.planted_world import World, WorldSettings, accuracy_of_weights

YARDSTICK = "fit over all, 1 vote"
RESAMPLES = 2000


class Measurement(NamedTuple):
    """The results of one search configuration or yardstick over some worlds, in the order of their seeds."""

    name: str
    is_baseline: bool
    accuracy: list[float]
    calls: list[int]


def measure_baselines(worlds: Sequence[World]) -> list[Measurement]:
    """Return the results of the yardsticks on these worlds."""
    by_name: dict[str, Measurement] = {}
    for world in worlds:
        for name, (weights, calls) in baselines(world).items():
            row = by_name.setdefault(name, Measurement(name, True, [], []))
            row.accuracy.append(accuracy_of_weights(world.fresh, weights))
            row.calls.append(calls)
    return list(by_name.values())


async def measure(configuration: Configuration, worlds: Sequence[World]) -> Measurement:
    """Return the results of a search configuration on these worlds."""
    row = Measurement(configuration.name, False, [], [])
    for world in worlds:
        rubric, calls = await search_world(world, PlantedRoles(world), configuration)
        row.accuracy.append(world.true_accuracy(rubric))
        row.calls.append(calls)
    return row


def share_of(row: Measurement, yardstick: Measurement) -> tuple[float, float, float]:
    """Return the ratio of mean accuracies with its bootstrap 95% interval, resampling the worlds of both together."""
    accuracy, reference = np.array(row.accuracy), np.array(yardstick.accuracy)
    drawn = np.random.default_rng(0).integers(0, len(accuracy), (RESAMPLES, len(accuracy)))
    low, high = np.quantile(accuracy[drawn].mean(axis=1) / reference[drawn].mean(axis=1), [0.025, 0.975])
    return float(accuracy.mean() / reference.mean()), float(low), float(high)


def table(rows: Iterable[Measurement], yardstick: Measurement) -> str:
    """Return the rows as markdown."""
    lines = ["| | calls: mean, maximum | true tail accuracy | share of the fit (95%) |", "|---|---|---|---|"]
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
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    selected = [
        configuration
        for configuration in configurations()
        if options.only is None or configuration.name in options.only
    ]
    for noise in options.noises:
        for size in options.sizes:
            seeds = range(options.first_seed, options.first_seed + options.worlds)
            worlds = [World(WorldSettings(seed=seed, candidates=size, noise=noise)) for seed in seeds]
            rows = measure_baselines(worlds)
            yardstick = next(row for row in rows if row.name == YARDSTICK)
            rows += [asyncio.run(measure(configuration, worlds)) for configuration in selected]
            title = f"{size} candidates, grade noise {noise}, {options.worlds} worlds"
            text = f"### {title}\n\n{table(rows, yardstick)}\n"
            print(text, flush=True)
            name = f"planted-{size}-{noise}"
            (options.out / f"{name}.md").write_text(text)
            points = [(row.name, float(np.mean(row.calls)), row.accuracy, row.is_baseline) for row in rows]
            plot(points, float(np.mean(yardstick.accuracy)), title, options.out / f"{name}.png")


if __name__ == "__main__":
    main()
