"""Individuals, and which of them survive a generation (docs/method.md §7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.objective import Evaluation


@dataclass(frozen=True)
class Individual:
    """A rubric with its evaluation and its lineage."""

    rubric: Rubric
    evaluation: Evaluation
    operator: str
    generation: int
    parents: tuple[str, ...] = ()
    """Fingerprints of the parents' rubrics."""
    gain: float | None = None
    """Its objective minus that of its best parent; None without parents."""

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the rubric, which identifies an individual within a population."""
        return self.rubric.fingerprint

    def is_same_as(self, other: "Individual") -> bool:
        """Return whether both are the same rubric, created by the same operator in the same generation."""
        return (self.fingerprint, self.operator, self.generation) == (
            other.fingerprint,
            other.operator,
            other.generation,
        )


@dataclass(frozen=True)
class Ancestor:
    """A record of an individual that was created, even if it did not survive; it documents the lineage of the best."""

    fingerprint: str
    operator: str
    generation: int
    parents: tuple[str, ...]
    objective: float | None
    """None for a child that was eliminated by racing and so never evaluated."""
    gain: float | None
    weights: Mapping[str, float]
    """Normalised weight by criterion key; the bank holds the criteria."""

    @classmethod
    def of(cls, individual: Individual) -> "Ancestor":
        """Return the record of an individual."""
        return cls(
            individual.fingerprint,
            individual.operator,
            individual.generation,
            individual.parents,
            individual.evaluation.objective,
            individual.gain,
            individual.rubric.weight_by_key,
        )


def distinct(individuals: Iterable[Individual]) -> list[Individual]:
    """Return the individuals in their order, without those whose rubric occurred before."""
    first: dict[str, Individual] = {}
    for individual in individuals:
        first.setdefault(individual.fingerprint, individual)
    return list(first.values())


def by_merit(individuals: Iterable[Individual]) -> list[Individual]:
    """Return the distinct individuals, best first; equally good ones by number of criteria, then in the given order."""
    return sorted(
        distinct(individuals),
        key=lambda individual: (
            not individual.evaluation.is_complete,
            -round(individual.evaluation.objective, 12),
            len(individual.rubric.criteria),
        ),
    )


def choose_survivors(
    population: Sequence[Individual], created: Sequence[Individual], size: int, elitism: int
) -> tuple[Individual, ...]:
    """Return the best `size` of the population and the created individuals, best first.

    The `elitism` best of the population always survive. They are at most `size - 1`, so that the best individual of all
    survives too.
    """
    elites = by_merit(population)[: min(elitism, size - 1)]
    elite_fingerprints = {elite.fingerprint for elite in elites}
    rest = [
        individual
        for individual in by_merit([*population, *created])
        if individual.fingerprint not in elite_fingerprints
    ]
    return tuple(by_merit([*elites, *rest[: size - len(elites)]]))


def distance(first: Rubric, second: Rubric) -> float:
    """Return `1 - sum(min(v, w)) / sum(max(v, w))` of the weights by criterion key, in 0 (equal) … 1 (disjoint).

    >>> from autosr_lib.domain.rubric import Criterion
    >>> clear, short = Criterion(criterion_id="c", text="Clear."), Criterion(criterion_id="s", text="Short.")
    >>> round(distance(Rubric(criteria=(clear,)), Rubric(criteria=(clear, short))), 3)
    0.667
    """
    keys = {*first.weight_by_key, *second.weight_by_key}
    pairs = [(first.weight_by_key.get(key, 0.0), second.weight_by_key.get(key, 0.0)) for key in sorted(keys)]
    return 1 - sum(min(pair) for pair in pairs) / sum(max(pair) for pair in pairs)


def diversity(population: Sequence[Individual]) -> float:
    """Return the mean pairwise distance of a population's rubrics; 0 for fewer than two."""
    pairs = list(combinations(population, 2))
    return sum(distance(a.rubric, b.rubric) for a, b in pairs) / len(pairs) if pairs else 0.0
