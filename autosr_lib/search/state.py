"""The state of one prompt's search: a value that a table holds and a later run goes on from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.search.population import Ancestor, Individual
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.roles import Roles
from autosr_lib.search.settings import Contrast, Mode, SearchSettings, Structure


@dataclass(frozen=True)
class SearchContext:
    """All that a search of one prompt needs, beside its state."""

    prepared: PreparedPrompt
    roles: Roles
    settings: SearchSettings
    structure: Structure

    @property
    def contrast(self) -> Contrast:
        """Return which pairs the proposer is shown: as set, else what the mode is known for."""
        usual = Contrast.RTD if self.structure.mode is Mode.ITERATIVE else Contrast.MISORDERED
        return self.settings.mutation.contrast or usual

    @property
    def votes(self) -> range:
        """Return the votes that the search grades by."""
        return range(self.settings.grading.num_votes)

    @property
    def all_votes(self) -> range:
        """Return every vote that a bank has room for: the search's, then the fresh ones of the finalists."""
        grading = self.settings.grading
        return range(max(grading.num_votes + grading.finalist_votes, grading.holdout_votes))


@dataclass(frozen=True)
class Calls:
    """Requests made to the roles, cached or not, and what became of them."""

    initializer: int = 0
    proposer: int = 0
    verifier: int = 0
    failed: int = 0
    """Requests whose reply could not be read; each is also counted under its role."""
    ungraded: int = 0
    """Grades that were asked for and not given."""
    saved_by_bank: int = 0
    """Verifier requests that whole rubrics would have needed beyond those that were made."""
    saved_by_racing: int = 0
    """Verifier requests that were spared because their criteria had been dropped."""

    @property
    def total(self) -> int:
        """Return the number of requests."""
        return self.initializer + self.proposer + self.verifier

    def __add__(self, other: "Calls") -> "Calls":
        return Calls(*(mine + theirs for mine, theirs in zip(self.as_tuple(), other.as_tuple(), strict=True)))

    def as_tuple(self) -> tuple[int, ...]:
        """Return the counts in the order of the fields."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


class StopReason(StrEnum):
    """Why a prompt is not searched any further."""

    GENERATIONS = "generations"
    STAGNATION = "stagnation"
    DISTINGUISHED = "distinguished"
    BUDGET = "budget"


class Milestone(NamedTuple):
    """What a generation came to."""

    best: float
    mean: float
    diversity: float
    calls: int


@dataclass(frozen=True)
class State:
    """A population after a generation, best first, with all that the next generation depends on."""

    generation: int
    population: tuple[Individual, ...]
    initial: Individual
    bank: GradeBank
    ancestors: tuple[Ancestor, ...]
    """Every individual that was ever made, in the order of its making, the dead ones too."""
    calls: Calls = Calls()
    """Since the start of the search."""
    last_calls: Calls = Calls()
    """In the latest generation."""
    tried: Mapping[str, int] = field(default_factory=dict)
    """Children of the latest generation by operator."""
    kept: Mapping[str, int] = field(default_factory=dict)
    """Those of them that survived it."""
    stagnation: int = 0
    """Generations since the best got better."""
    distinguished: int = 0
    """Generations in a row in which the best told the whole tail apart."""
    stopped: StopReason | None = None
    history: tuple[Milestone, ...] = ()
    """Generation 0, 1, …, those that were searched."""

    @property
    def best(self) -> Individual:
        """Return the individual of most merit."""
        return self.population[0]

    def carried(self) -> "State":
        """Return the state after a generation in which nothing was done for this prompt."""
        return replace(self, generation=self.generation + 1, last_calls=Calls(), tried={}, kept={})
