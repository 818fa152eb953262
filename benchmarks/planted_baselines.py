"""Yardsticks of `planted.py`: what can be achieved in a planted world without a search.

Run `python -m benchmarks.planted_baselines` to print them over many worlds.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.search.weight_fit import fit_weights
from benchmarks.planted_world import (
    ATTRIBUTES,
    DEEP_WEIGHTS,
    SURFACE,
    World,
    WorldSettings,
    accuracy_of_weights,
    criterion_for,
    ordered_pairs,
)

BETA = 0.5


RIDGE_AT_TWELVE = 1e-3
"""The best ridge for these worlds, which differs from that of the search: the yardstick should be as good as possible."""


def tail_weights(world: World) -> FloatArray:
    """Return (P,) the weights `exp(u_best / beta)` of the world's pairs (docs/method.md §4), in the order of `world.pairs`."""
    better, _ = world.pairs
    quantile = np.argsort(np.argsort(world.quality)) / (len(world.quality) - 1)
    return np.exp(quantile[better] / BETA)


def graded(world: World, attributes: Sequence[int], votes: Iterable[int]) -> FloatArray:
    """Return (attributes, candidates) the mean grades over the votes."""
    candidates = range(world.settings.candidates)
    return np.array(
        [
            [np.mean([world.grade(criterion_for(attribute), i, vote) for vote in votes]) for i in candidates]
            for attribute in attributes
        ]
    )


def fit_all(world: World, votes: int) -> FloatArray:
    """Return (16,) weights fitted to all attributes, each graded by this number of votes."""
    grades = graded(world, range(len(ATTRIBUTES)), range(votes))
    prior = np.full(len(ATTRIBUTES), 1 / len(ATTRIBUTES))
    ridge = RIDGE_AT_TWELVE * 12 / world.settings.candidates
    return fit_weights(grades, *world.pairs, tail_weights(world), prior, ridge=ridge)


def greedy(world: World) -> FloatArray:
    """Return (16,) equal weights on criteria added one by one while they raise the weighted pair accuracy."""
    grades = graded(world, range(len(ATTRIBUTES)), range(1))
    better, worse = ordered_pairs(world.quality)
    shares = tail_weights(world) / tail_weights(world).sum()
    chosen: list[int] = []
    best = 0.0
    while remaining := [attribute for attribute in range(len(ATTRIBUTES)) if attribute not in chosen]:
        accuracies = []
        for attribute in remaining:
            score = grades[[*chosen, attribute]].mean(axis=0)
            margin = score[better] - score[worse]
            accuracies.append(float(shares @ np.where(np.abs(margin) <= 1e-8, 0.5, margin > 0)))
        if max(accuracies) <= best + 1e-9:
            break
        best = max(accuracies)
        chosen.append(remaining[int(np.argmax(accuracies))])
    return np.isin(np.arange(len(ATTRIBUTES)), chosen).astype(float)


def baselines(world: World) -> Mapping[str, tuple[FloatArray, int]]:
    """Return for each yardstick its (16,) weights and the requests it would need with ten criteria per request."""
    everything = np.ones(len(ATTRIBUTES))
    surface = np.arange(len(ATTRIBUTES)) < len(SURFACE)
    relevant = surface | np.isin(np.arange(len(ATTRIBUTES)), len(SURFACE) + np.flatnonzero(DEEP_WEIGHTS))
    n = world.settings.candidates
    requests = 2 * n
    return {
        "initial": (surface.astype(float), 1),
        "equal weights on all": (everything, 0),
        "greedy": (greedy(world), requests),
        "fit over all, 1 vote": (fit_all(world, 1), requests),
        "fit over all, 3 votes": (fit_all(world, 3), 3 * requests),
        "right criteria, equal weights": (relevant.astype(float), 0),
    }


def main() -> None:
    """Print the true tail accuracy of every yardstick, mean over worlds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[6, 12, 16, 32])
    parser.add_argument("--noises", type=float, nargs="+", default=[0.6])
    options = parser.parse_args()
    cells = [(size, noise) for noise in options.noises for size in options.sizes]
    accuracies: dict[str, dict[tuple[int, float], list[tuple[float, float]]]] = {}
    for size, noise in cells:
        for seed in range(options.worlds):
            world = World(WorldSettings(seed=seed, candidates=size, noise=noise))
            for name, (weights, _) in baselines(world).items():
                inside_and_touching = [
                    accuracy_of_weights(world.fresh, weights, inside=inside) for inside in (True, False)
                ]
                accuracies.setdefault(name, {}).setdefault((size, noise), []).append(
                    (inside_and_touching[0], inside_and_touching[1])
                )
    print(f"true tail accuracy, mean of {options.worlds} worlds: pairs inside the tail (pairs touching it)\n")
    print("| candidates / noise | " + " | ".join(f"{size} / {noise}" for size, noise in cells) + " |")
    print("|---" * (1 + len(cells)) + "|")
    for name, by_cell in accuracies.items():
        means = [np.mean(by_cell[cell], axis=0) for cell in cells]
        print(f"| {name} | " + " | ".join(f"{inside:.3f} ({touching:.3f})" for inside, touching in means) + " |")


if __name__ == "__main__":
    main()
