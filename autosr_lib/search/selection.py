"""Selection: which individuals become the parents of a generation (docs/method.md §7)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.search.population import Individual, distance
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.settings import SelectionSettings, SelectionStrategy


class Selection(NamedTuple):
    """The parents of a generation, and the mutation mode of each child; child `i` has parent `i % len(parents)`."""

    parents: Sequence[Individual]
    modes: Sequence[MutationMode]


def select_parents(
    population: Sequence[Individual],
    count: int,
    settings: SelectionSettings,
    rng: np.random.Generator,
    credit: FloatArray,
) -> list[Individual]:
    """Return `count` distinct parents, or the entire population if it is smaller.

    Args:
        population: distinct individuals, best first.
        count: the number of parents.
        settings: the strategy and its parameters.
        rng: the random number generator of this generation.
        credit: (individuals, pairs) the credit of each individual on each reference pair, used by `pareto`.
    """
    count = min(count, len(population))
    if settings.selection_strategy is SelectionStrategy.RANK:
        return list(population[:count])
    if settings.selection_strategy is SelectionStrategy.TOURNAMENT:
        return _by_tournament(population, count, settings, rng)
    if settings.selection_strategy is SelectionStrategy.TOP_K:
        return _from_top(population, count, settings)
    return _from_pareto_front(population, count, rng, credit)


def _by_tournament(
    population: Sequence[Individual], count: int, settings: SelectionSettings, rng: np.random.Generator
) -> list[Individual]:
    """Return the winners of `count` tournaments; each winner is removed before the next tournament."""
    remaining = list(range(len(population)))
    chosen = []
    for _ in range(count):
        size = min(settings.tournament_size, len(remaining))
        entrants = sorted(rng.choice(len(remaining), size=size, replace=False).tolist())
        winner = next((entrant for entrant in entrants if rng.random() < settings.tournament_p), entrants[-1])
        chosen.append(remaining.pop(winner))
    return [population[i] for i in chosen]


def _from_top(population: Sequence[Individual], count: int, settings: SelectionSettings) -> list[Individual]:
    """Return parents from the `top_k_ratio` best, greedily by objective and by distance to those already chosen."""
    pool = list(population[: max(count, math.ceil(settings.top_k_ratio * len(population)))])
    objectives = np.array([individual.evaluation.objective for individual in pool])
    spread = float(np.ptp(objectives))
    merit = (objectives - objectives.min()) / spread if spread else np.ones(len(pool))
    chosen = [0]
    while len(chosen) < count:
        remaining = [i for i in range(len(pool)) if i not in chosen]
        distances = [min(distance(pool[i].rubric, pool[j].rubric) for j in chosen) for i in remaining]
        weight = settings.diversity_weight
        values = [(1 - weight) * merit[i] + weight * away for i, away in zip(remaining, distances, strict=True)]
        chosen.append(remaining[int(np.argmax(values))])
    return [pool[i] for i in chosen]


def _from_pareto_front(
    population: Sequence[Individual], count: int, rng: np.random.Generator, credit: FloatArray
) -> list[Individual]:
    """Return parents drawn by the number of pairs on which they are best, as in GEPA.

    A pair on which several individuals are best is divided among them.
    """
    if credit.shape[1]:
        is_best = (credit == credit.max(axis=0)) & (credit.max(axis=0) > 0)
        wins = (is_best / np.maximum(is_best.sum(axis=0), 1)).sum(axis=1)
    else:
        wins = np.ones(len(population))
    # A small chance for individuals that are best on no pair, so that `count` distinct ones can always be drawn.
    chance = wins + 1e-9
    chosen = rng.choice(len(population), size=count, replace=False, p=chance / chance.sum())
    return [population[i] for i in chosen.tolist()]
