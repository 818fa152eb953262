"""The faults of the best rubrics of a search, by prompt, from one pass over them; the checks report them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from autosr_lib.results.soundness import (
    gamed_fault,
    holdout_fault,
    length_fault,
    objective_fault,
    rubric_fault,
)
from autosr_lib.storage.tables.best_rubrics import BestRubricRow, StoredBest

MOST_UNGRADED = 0.02
"""Share of missing grades from which on the check of missing grades fails."""

Faults = dict[str, str]
"""A fault, by prompt."""


class MissingGrades(NamedTuple):
    """How many of the requested grades are missing."""

    missing: int
    requested: int
    faults: Faults
    """Prompts with too many missing grades."""

    @property
    def share(self) -> float:
        """Return the share of the requested grades that is missing, 0 where none was requested.

        >>> MissingGrades(1, 50, {}).share
        0.02
        """
        return self.missing / self.requested if self.requested else 0.0


@dataclass
class Findings:
    """The faults of the best rubrics of a search."""

    prompts: int = 0
    failed: Faults = field(default_factory=dict)
    """Prompts without a rubric."""
    invalid: Faults = field(default_factory=dict)
    worse_than_initial: Faults = field(default_factory=dict)
    holdout_fell: Faults = field(default_factory=dict)
    follows_length: Faults = field(default_factory=dict)
    gamed: Faults = field(default_factory=dict)
    requests: int = 0
    """Requests to the verifier for the prompts without missing grades."""
    ungraded: dict[str, int] = field(default_factory=dict)
    """Number of missing grades, of each prompt that has any."""

    def add(self, row: StoredBest) -> None:
        """Check the row of one prompt."""
        self.prompts += 1
        if not isinstance(row, BestRubricRow):
            self.failed[row.prompt_id] = row.error or ""
            return
        length = length_fault(
            score_follows_length=row.score_follows_length, criteria_follow_length=row.criteria_follow_length
        )
        for faults, fault in (
            (self.invalid, rubric_fault(row)),
            (self.worse_than_initial, objective_fault(row.best.objective, row.initial.objective)),
            (self.holdout_fell, holdout_fault(row.holdout.unseen)),
            (self.follows_length, length),
            (self.gamed, gamed_fault(row)),
        ):
            if fault is not None:
                faults[row.prompt_id] = fault
        if row.calls.ungraded:
            self.ungraded[row.prompt_id] = row.calls.ungraded
        else:
            self.requests += row.calls.verifier

    def missing_grades(self, count_grades: Callable[[str], int]) -> MissingGrades:
        """Return how many grades are missing.

        Each request is for at least one grade, so the number of requests is counted for prompts without missing grades.

        Args:
            count_grades: returns a prompt's number of verifier grades; called only for prompts with missing grades.
        """
        requested = self.requests
        faults: Faults = {}
        for prompt_id, missing in self.ungraded.items():
            total = missing + count_grades(prompt_id)
            requested += total
            if missing / total >= MOST_UNGRADED:
                faults[prompt_id] = f"{missing} of {total} grades"
        return MissingGrades(sum(self.ungraded.values()), requested, faults)
