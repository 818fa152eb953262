"""Selection: which individuals become parents (docs/method.md §7)."""

import math
from collections.abc import Sequence

import numpy as np

from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.search.population import Individual, distance
from autosr_lib.search.settings import SelectionSettings, SelectionStrategy


def select_parents(
    population: Sequence[Individual],
    count: int,
    settings: SelectionSettings,
    rng: np.random.Generator,
    credit: FloatArray,
) -> list[Individual]:
    """Return up to `count` distinct parents; all of them when the population has no more.

    Args:
        population: distinct individuals, best first.
        count: how many are wanted.
        settings: the strategy and what it needs.
        rng: the draw of this generation.
        credit: (individuals, pairs) what each earns on each reference pair; `pareto` looks at it.
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
    """Each winner leaves the population, so that `count` tournaments find `count` parents and no more are held."""
    left = list(range(len(population)))
    chosen = []
    for _ in range(count):
        size = min(settings.tournament_size, len(left))
        entrants = sorted(rng.choice(len(left), size=size, replace=False).tolist())
        winner = next((place for place in entrants if rng.random() < settings.tournament_p), entrants[-1])
        chosen.append(left.pop(winner))
    return [population[i] for i in chosen]


def _from_top(population: Sequence[Individual], count: int, settings: SelectionSettings) -> list[Individual]:
    """Greedily takes the one that is best and unlike those already taken, from the `top_k_ratio` best."""
    pool = list(population[: max(count, math.ceil(settings.top_k_ratio * len(population)))])
    objectives = np.array([one.evaluation.objective for one in pool])
    spread = float(np.ptp(objectives))
    merit = (objectives - objectives.min()) / spread if spread else np.ones(len(pool))
    chosen = [0]
    while len(chosen) < count:
        left = [i for i in range(len(pool)) if i not in chosen]
        unlike = [min(distance(pool[i].rubric, pool[j].rubric) for j in chosen) for i in left]
        weight = settings.diversity_weight
        worth = [(1 - weight) * merit[i] + weight * apart for i, apart in zip(left, unlike, strict=True)]
        chosen.append(left[int(np.argmax(worth))])
    return [pool[i] for i in chosen]


def _from_pareto_front(
    population: Sequence[Individual], count: int, rng: np.random.Generator, credit: FloatArray
) -> list[Individual]:
    """Draws by how many pairs an individual is best on; a pair counts less the more are best on it (GEPA)."""
    if credit.shape[1]:
        is_best = (credit == credit.max(axis=0)) & (credit.max(axis=0) > 0)
        wins = (is_best / np.maximum(is_best.sum(axis=0), 1)).sum(axis=1)
    else:
        wins = np.ones(len(population))
    # Those that are best nowhere may still be drawn, when no others are left.
    chance = wins + 1e-9
    chosen = rng.choice(len(population), size=count, replace=False, p=chance / chance.sum())
    return [population[i] for i in chosen.tolist()]
