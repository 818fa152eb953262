"""The course of a search over all its prompts: objectives, calls and improving operators by generation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from autosr_lib.storage.tables.best_rubrics import BestRubricRow

FEWEST_FOR_BAND = 4
"""Smallest number of prompts for which quartiles are shown."""

Band = tuple[list[float], list[float]]
"""The lower and the upper quartile, by generation."""


@dataclass
class Histories:
    """Objectives, calls and operators of all prompts, added up one prompt at a time."""

    best: list[list[float]] = field(default_factory=list)
    """By generation, each prompt's best objective; a search that has ended keeps its last one."""
    mean: list[list[float]] = field(default_factory=list)
    """By generation, the mean objective of each prompt's population."""
    calls: Counter[int] = field(default_factory=Counter)
    """Requests by generation."""
    steps: Counter[str] = field(default_factory=Counter)
    """Improvements by operator, in the lineages of the best rubrics."""
    _last_objectives: list[tuple[float, float]] = field(default_factory=list)

    def add(self, row: BestRubricRow) -> None:
        """Add the history of one prompt."""
        for generation, milestone in enumerate(row.history):
            if generation == len(self.best):
                self.best.append([best for best, _ in self._last_objectives])
                self.mean.append([mean for _, mean in self._last_objectives])
            self.best[generation].append(milestone.best)
            self.mean[generation].append(milestone.mean)
            self.calls[generation] += milestone.calls
        last = row.history[-1]
        for generation in range(len(row.history), len(self.best)):
            self.best[generation].append(last.best)
            self.mean[generation].append(last.mean)
        self._last_objectives.append((last.best, last.mean))
        self.steps.update(ancestor.operator for ancestor in row.lineage if ancestor.gain is not None)

    @property
    def mean_best(self) -> list[float]:
        """Return the mean over prompts of the best objective, by generation.

        >>> Histories(best=[[0.5, 0.7], [0.6, 0.8]]).mean_best
        [0.6, 0.7]
        """
        return [fmean(objectives) for objectives in self.best]

    @property
    def mean_of_populations(self) -> list[float]:
        """Return the mean over prompts of the populations' mean objective, by generation."""
        return [fmean(objectives) for objectives in self.mean]

    @property
    def calls_by_generation(self) -> list[int]:
        """Return the requests of each generation."""
        return [self.calls[generation] for generation in range(len(self.best))]

    @property
    def band(self) -> Band | None:
        """Return the quartiles of the best objective over prompts, or None for too few prompts."""
        if not self.best or len(self.best[0]) < FEWEST_FOR_BAND:
            return None
        low, high = ([_quantile(values, share) for values in self.best] for share in (0.25, 0.75))
        return low, high


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]
