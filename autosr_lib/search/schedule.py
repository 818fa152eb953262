"""Schedules: which mutation makes the next child (docs/method.md §7)."""

from collections.abc import Sequence

import numpy as np

from autosr_lib.search.population import Ancestor
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.settings import MutationSettings, Schedule

SCHEDULED = (
    MutationMode.RAISE_BAR,
    MutationMode.DECOMPOSE,
    MutationMode.FACTUAL_FOCUS,
    MutationMode.ANTI_FLUFF,
    MutationMode.COUNTEREXAMPLE_TRIGGER,
    MutationMode.WEIGHT_PERTURB,
)
EXPLORING = (MutationMode.DECOMPOSE, MutationMode.FACTUAL_FOCUS, MutationMode.COUNTEREXAMPLE_TRIGGER)
"""Modes that bring something new into a population that has grown alike."""


def choose_modes(
    count: int,
    settings: MutationSettings,
    *,
    generation: int,
    generations: int,
    diversity: float,
    history: Sequence[Ancestor],
    rng: np.random.Generator,
) -> list[MutationMode]:
    """Return the mode of each of the `count` children of generation `generation` (1, 2, …, `generations`)."""
    if settings.adaptive_mutation is Schedule.FIXED:
        start = (generation - 1) * count
        return [SCHEDULED[(start + i) % len(SCHEDULED)] for i in range(count)]
    weights = mode_weights(settings, generation, generations, diversity, history)
    drawn = rng.choice(len(SCHEDULED), size=count, p=weights / weights.sum())
    return [SCHEDULED[i] for i in drawn.tolist()]


def mode_weights(
    settings: MutationSettings, generation: int, generations: int, diversity: float, history: Sequence[Ancestor]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return a weight for each of `SCHEDULED`, the largest 1 and none below `min_mutation_weight`."""
    learnt = _success_weights(settings, history)
    even = np.ones(len(SCHEDULED))
    if settings.adaptive_mutation is Schedule.EXPLORATION_DECAY:
        explored = settings.exploration_phase_ratio * generations
        # After the exploration phase, what was learnt takes over linearly until the last generation.
        trust = 0.0 if generation <= explored else (generation - explored) / max(generations - explored, 1e-9)
        mixed = (1 - min(trust, 1.0)) * even + min(trust, 1.0) * learnt
        return np.asarray(np.maximum(mixed / mixed.max(), settings.min_mutation_weight))
    if settings.adaptive_mutation is Schedule.DIVERSITY_DRIVEN and diversity < settings.diversity_threshold:
        exploring = np.array([1.0 if mode in EXPLORING else 0.0 for mode in SCHEDULED])
        return np.asarray(np.maximum(exploring, settings.min_mutation_weight))
    return learnt


def _success_weights(
    settings: MutationSettings, history: Sequence[Ancestor]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A mode's merit is its success rate plus its mean gain in units of the typical gain, over its latest children.

    A mode that has not been tried counts as the best one; a mode whose children lose on average falls to the floor.
    """
    records = [
        [one.gain for one in history if one.operator == mode and one.gain is not None][-settings.mutation_window_size :]
        for mode in SCHEDULED
    ]
    typical = float(np.mean([abs(gain) for record in records for gain in record] or [0.0])) or 1.0
    merits = [
        None if not record else max(0.0, float(np.mean([g > 0 for g in record])) + float(np.mean(record)) / typical)
        for record in records
    ]
    best = max([merit for merit in merits if merit is not None], default=0.0) or 1.0
    weights = [1.0 if merit is None else merit / best for merit in merits]
    floored = np.maximum(np.array(weights), settings.min_mutation_weight)
    # Without a floor, modes that all do harm would leave nothing to draw from.
    return floored if floored.any() else np.ones(len(SCHEDULED))
