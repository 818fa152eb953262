"""Schedules: which mutation mode creates each child (docs/method.md §7)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autosr_lib.evaluation.arrays import FloatArray
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
"""Modes that add new criteria to a population of low diversity."""


@dataclass(frozen=True)
class ScheduleInputs:
    """The progress of a search, on which a schedule may depend."""

    generation: int
    """The generation whose children are scheduled: 1, 2, …"""
    generations: int
    """The number of generations of the search."""
    diversity: float
    """Diversity of the population."""
    history: Sequence[Ancestor]
    """Every individual created so far."""


def choose_modes(
    count: int, settings: MutationSettings, inputs: ScheduleInputs, rng: np.random.Generator
) -> list[MutationMode]:
    """Return the mutation mode of each of the `count` children of a generation.

    >>> inputs = ScheduleInputs(generation=2, generations=3, diversity=0.5, history=())
    >>> [mode.value for mode in choose_modes(2, MutationSettings(), inputs, np.random.default_rng(7))]
    ['factual_focus', 'anti_fluff']
    """
    if settings.adaptive_mutation is Schedule.FIXED:
        start = (inputs.generation - 1) * count
        return [SCHEDULED[(start + i) % len(SCHEDULED)] for i in range(count)]
    weights = mode_weights(settings, inputs)
    drawn = rng.choice(len(SCHEDULED), size=count, p=weights / weights.sum())
    return [SCHEDULED[i] for i in drawn.tolist()]


def mode_weights(settings: MutationSettings, inputs: ScheduleInputs) -> FloatArray:
    """Return a weight for each mode of `SCHEDULED`: at most 1, at least `min_mutation_weight`.

    `success_feedback` uses each mode's record. `exploration_decay` starts with equal weights and, after the exploration
    phase, moves linearly to those of `success_feedback`. `diversity_driven` prefers the exploring modes while diversity
    is below the threshold.

    >>> inputs = ScheduleInputs(generation=1, generations=3, diversity=0.01, history=())
    >>> settings = MutationSettings(adaptive_mutation="diversity_driven", min_mutation_weight=0.25)
    >>> mode_weights(settings, inputs).tolist()
    [0.25, 1.0, 1.0, 0.25, 1.0, 0.25]
    """
    learnt = _success_weights(settings, inputs.history)
    if settings.adaptive_mutation is Schedule.EXPLORATION_DECAY:
        explored = settings.exploration_phase_ratio * inputs.generations
        is_exploring = inputs.generation <= explored
        trust = 0.0 if is_exploring else (inputs.generation - explored) / max(inputs.generations - explored, 1e-9)
        mixed = (1 - min(trust, 1.0)) * np.ones(len(SCHEDULED)) + min(trust, 1.0) * learnt
        return np.asarray(np.maximum(mixed / mixed.max(), settings.min_mutation_weight))
    if settings.adaptive_mutation is Schedule.DIVERSITY_DRIVEN and inputs.diversity < settings.diversity_threshold:
        exploring = np.array([1.0 if mode in EXPLORING else 0.0 for mode in SCHEDULED])
        return np.asarray(np.maximum(exploring, settings.min_mutation_weight))
    return learnt


def _success_weights(settings: MutationSettings, history: Sequence[Ancestor]) -> FloatArray:
    """Return weights proportional to each mode's merit.

    The merit is the success rate plus the mean gain in units of the typical gain, over the mode's latest children. A
    mode without children counts as the best one; a mode whose children lose on average gets the minimum.
    """
    gains_by_mode = [
        [ancestor.gain for ancestor in history if ancestor.operator == mode and ancestor.gain is not None]
        for mode in SCHEDULED
    ]
    records = [gains[-settings.mutation_window_size :] for gains in gains_by_mode]
    typical = float(np.mean([abs(gain) for record in records for gain in record] or [0.0])) or 1.0
    merits = [
        None if not record else max(0.0, float(np.mean([g > 0 for g in record])) + float(np.mean(record)) / typical)
        for record in records
    ]
    best = max([merit for merit in merits if merit is not None], default=0.0) or 1.0
    weights = [1.0 if merit is None else merit / best for merit in merits]
    floored = np.maximum(np.array(weights), settings.min_mutation_weight)
    # With a minimum of 0, all weights are 0 if every mode loses on average; then all modes are equal.
    return floored if floored.any() else np.ones(len(SCHEDULED))
