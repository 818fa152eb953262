"""What one pass over the best rubrics of a search finds wrong, by prompt; the checks report it."""

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
"""Share of the requested grades from which on too many are missing."""

Faults = dict[str, str]
"""What is wrong, by prompt."""


class MissingGrades(NamedTuple):
    """How many of the requested grades are missing."""

    missing: int
    requested: int
    faults: Faults
    """Prompts that lack too many."""

    @property
    def share(self) -> float:
        """Return the share of the requested grades that is missing, 0 where none was requested.

        >>> MissingGrades(1, 50, {}).share
        0.02
        """
        return self.missing / self.requested if self.requested else 0.0


@dataclass
class Findings:
    """What is wrong with the best rubrics of a search."""

    prompts: int = 0
    failed: Faults = field(default_factory=dict)
    """Prompts without a rubric."""
    invalid: Faults = field(default_factory=dict)
    worse_than_initial: Faults = field(default_factory=dict)
    holdout_fell: Faults = field(default_factory=dict)
    follows_length: Faults = field(default_factory=dict)
    gamed: Faults = field(default_factory=dict)
    requests: int = 0
    """Requests to the verifier for the prompts that lack no grade."""
    ungraded: dict[str, int] = field(default_factory=dict)
    """Grades that are missing, by prompt that lacks some."""

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

        A request asks for at least one grade, so where none is missing the number of requests stands for them.

        Args:
            count_grades: returns how many grades of a verifier a prompt has; called only where some are missing.
        """
        requested = self.requests
        faults: Faults = {}
        for prompt_id, missing in self.ungraded.items():
            of_prompt = missing + count_grades(prompt_id)
            requested += of_prompt
            if missing / of_prompt >= MOST_UNGRADED:
                faults[prompt_id] = f"{missing} of {of_prompt} grades"
        return MissingGrades(sum(self.ungraded.values()), requested, faults)
