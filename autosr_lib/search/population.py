"""Individuals and populations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.evaluation.objective import Evaluation, evaluate
from autosr_lib.evaluation.scoring import Scores, score_candidates
from autosr_lib.evaluation.settings import Aggregate
from autosr_lib.search.prepared_prompt import PreparedPrompt


@dataclass(frozen=True)
class Individual:
    """A rubric with its evaluation and its lineage; parents are named by the fingerprints of their rubrics."""

    rubric: Rubric
    evaluation: Evaluation
    operator: str
    generation: int
    parents: tuple[str, ...] = ()
    gain: float | None = None
    """Objective above that of its best parent; None for one without parents."""

    @property
    def fingerprint(self) -> str:
        """Return the rubric's fingerprint, by which an individual is known."""
        return self.rubric.fingerprint

    def is_same_as(self, other: "Individual") -> bool:
        """Return whether both are one birth; a rubric can be made a second time, in another way."""
        mine, theirs = ((one.fingerprint, one.operator, one.generation) for one in (self, other))
        return mine == theirs


@dataclass(frozen=True)
class Ancestor:
    """The memory of an individual that was made, kept or not: enough to tell the way to the best rubric."""

    fingerprint: str
    operator: str
    generation: int
    parents: tuple[str, ...]
    objective: float | None
    """None for a child that lost its race: it was never evaluated."""
    gain: float | None
    weights: Mapping[str, float]
    """Normalised weight by criterion key; the bank knows the criteria."""

    @classmethod
    def of(cls, individual: Individual) -> "Ancestor":
        """Return the memory of an individual."""
        return cls(
            individual.fingerprint,
            individual.operator,
            individual.generation,
            individual.parents,
            individual.evaluation.objective,
            individual.gain,
            individual.rubric.weight_by_key,
        )


def weight_matrix(rubrics: Sequence[Rubric]) -> tuple[list[str], FloatArray]:
    """Return the criterion keys of all rubrics, sorted, and their weights as an array (rubrics, keys)."""
    keys = sorted({key for rubric in rubrics for key in rubric.weight_by_key})
    column = {key: i for i, key in enumerate(keys)}
    weights = np.zeros((len(rubrics), len(keys)))
    for row, rubric in enumerate(rubrics):
        for key, weight in rubric.weight_by_key.items():
            weights[row, column[key]] = weight
    return keys, weights


def score_rubrics(
    rubrics: Sequence[Rubric], bank: GradeBank, places: Sequence[int], votes: Sequence[int], aggregate: Aggregate
) -> Scores:
    """Return the scores of the candidates at `places` under every rubric: one matrix product, no loops."""
    keys, weights = weight_matrix(rubrics)
    return score_candidates(weights, bank.grades(keys, votes)[:, list(places)], aggregate)


def evaluate_rubrics(
    rubrics: Sequence[Rubric], bank: GradeBank, prepared: PreparedPrompt, votes: Sequence[int], aggregate: Aggregate
) -> list[Evaluation]:
    """Return the evaluation of every rubric on the visible pairs, all on the same pairs and votes."""
    if not rubrics:
        return []
    scores = score_rubrics(rubrics, bank, prepared.visible.tolist(), votes, aggregate)
    return evaluate(scores, prepared.reference, prepared.objective)


def by_merit(individuals: Iterable[Individual]) -> list[Individual]:
    """Return the individuals best first, no two with one fingerprint; equals stay in the order in which they came.

    Of equals the one with fewer criteria goes first: the simpler rubric.
    """
    unique: dict[str, Individual] = {}
    for individual in individuals:
        unique.setdefault(individual.fingerprint, individual)
    return sorted(
        unique.values(),
        key=lambda one: (
            not one.evaluation.is_complete,
            -round(one.evaluation.objective, 12),
            len(one.rubric.criteria),
        ),
    )


def survive(
    parents: Sequence[Individual], children: Sequence[Individual], size: int, elitism: int
) -> tuple[Individual, ...]:
    """Return the best `size` of parents and children together, best first; the `elitism` best parents always stay.

    Elites leave at least one place to merit, so that the best of all is never lost.
    """
    elites = by_merit(parents)[: min(elitism, size - 1)]
    names = {elite.fingerprint for elite in elites}
    others = [one for one in by_merit([*parents, *children]) if one.fingerprint not in names]
    return tuple(by_merit([*elites, *others[: size - len(elites)]]))


def distance(one: Rubric, other: Rubric) -> float:
    """Return `1 - sum(min(w, v)) / sum(max(w, v))` over criterion keys: 0 the same, 1 nothing in common."""
    keys = {*one.weight_by_key, *other.weight_by_key}
    pairs = [(one.weight_by_key.get(key, 0.0), other.weight_by_key.get(key, 0.0)) for key in sorted(keys)]
    return 1 - sum(min(pair) for pair in pairs) / sum(max(pair) for pair in pairs)


def diversity(population: Sequence[Individual]) -> float:
    """Return the mean pairwise distance of a population's rubrics; 0 for fewer than two."""
    pairs = list(combinations(population, 2))
    return sum(distance(a.rubric, b.rubric) for a, b in pairs) / len(pairs) if pairs else 0.0
