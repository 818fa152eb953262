"""The state of one prompt's search. It is stored after each generation, and a later run resumes from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.search.population import Ancestor, Individual


@dataclass(frozen=True)
class Calls:
    """Requests made to the roles, including those answered from the cache, and their results.

    >>> (Calls(proposer=2) + Calls(proposer=1, verifier=4)).total
    7
    """

    initializer: int = 0
    proposer: int = 0
    verifier: int = 0
    failed: int = 0
    """Requests whose reply could not be read; each is also counted under its role."""
    ungraded: int = 0
    """Grades that were requested but not received."""
    saved_by_bank: int = 0
    """Verifier requests saved by the bank: complete grading of each new rubric would have needed them."""
    saved_by_racing: int = 0
    """Verifier requests saved because their criteria were dropped by racing."""

    @property
    def total(self) -> int:
        """Return the number of requests to all roles."""
        return self.initializer + self.proposer + self.verifier

    def __add__(self, other: "Calls") -> "Calls":
        return Calls(*(left + right for left, right in zip(self.as_tuple(), other.as_tuple(), strict=True)))

    def as_tuple(self) -> tuple[int, ...]:
        """Return the counts in field order."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


class StopReason(StrEnum):
    """Why the search of a prompt ended."""

    GENERATIONS = "generations"
    STAGNATION = "stagnation"
    DISTINGUISHED = "distinguished"
    BUDGET = "budget"


class Milestone(NamedTuple):
    """Figures of the population after one generation, and the requests of that generation."""

    best: float
    """The best objective."""
    mean: float
    """The mean objective."""
    diversity: float
    calls: int


@dataclass(frozen=True)
class SearchState:
    """A population after a generation, best first, with everything that the next generation depends on."""

    generation: int
    population: tuple[Individual, ...]
    initial: Individual
    bank: GradeBank
    ancestors: tuple[Ancestor, ...]
    """Every individual created so far, in order of creation, including those that did not survive."""
    calls: Calls = Calls()
    """Since the start of the search."""
    last_calls: Calls = Calls()
    """In the latest generation."""
    tried: Mapping[str, int] = field(default_factory=dict)
    """Number of children in the latest generation by operator."""
    kept: Mapping[str, int] = field(default_factory=dict)
    """Number of these children that survived, by operator."""
    stagnation: int = 0
    """Generations since the best individual last improved."""
    distinguished: int = 0
    """Consecutive generations in which the best rubric distinguished every pair that touches the tail."""
    stopped: StopReason | None = None
    history: tuple[Milestone, ...] = ()
    """One milestone for each generation that was searched, from generation 0."""

    @property
    def best(self) -> Individual:
        """Return the individual of highest merit."""
        return self.population[0]

    def skip_generation(self) -> "SearchState":
        """Return the state after a generation in which this prompt was not searched."""
        return replace(self, generation=self.generation + 1, last_calls=Calls(), tried={}, kept={})
