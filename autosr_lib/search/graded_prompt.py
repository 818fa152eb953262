"""Scores of rubrics from the grades of one prompt's candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank
from autosr_lib.evaluation.objective import Evaluation, evaluate
from autosr_lib.evaluation.scoring import Scores, aggregate_votes, score_candidates
from autosr_lib.evaluation.settings import Aggregate
from autosr_lib.search.prepared_prompt import PreparedPrompt


@dataclass(frozen=True)
class GradedPrompt:
    """The grades of a prompt's candidates that rubrics are scored, evaluated and fitted on.

    Methods that take `positions` (indices into `prompt.candidates`) use the visible candidates by default.
    """

    bank: GradeBank
    prepared: PreparedPrompt
    votes: Sequence[int]
    """The votes of the bank that count."""
    aggregate: Aggregate
    """How the votes become one grade."""

    def score(self, rubrics: Sequence[Rubric], positions: Sequence[int] | None = None) -> Scores:
        """Return the scores of the candidates under every rubric, as arrays (rubrics, candidates)."""
        return score_rubrics(rubrics, self.bank, self._or_visible(positions), self.votes, self.aggregate)

    def evaluate(self, rubrics: Sequence[Rubric]) -> list[Evaluation]:
        """Return the evaluation of every rubric on the visible pairs, all on the same pairs and votes."""
        if not rubrics:
            return []
        return evaluate(self.score(rubrics), self.prepared.reference, self.prepared.objective)

    def grades(self, keys: Sequence[str], positions: Sequence[int] | None = None) -> FloatArray:
        """Return the grades (criteria, candidates, votes) as the bank stores them; NaN where ungraded."""
        return self.bank.grades(keys, self.votes)[:, self._or_visible(positions)]

    def aggregated_grades(self, rubric: Rubric, positions: Sequence[int] | None = None) -> FloatArray:
        """Return one grade for each criterion and candidate, as an array (criteria, candidates) without NaN.

        Where a criterion has no grade for a candidate, or does not apply, its mean over the candidates stands in, so
        that it does not order that candidate; 0 where it has no grade at all.
        """
        raw = self.grades(rubric.keys, positions)
        grades = aggregate_votes(np.where(raw == NOT_APPLICABLE, np.nan, raw), self.aggregate)
        is_graded = ~np.isnan(grades)
        means = np.where(is_graded, grades, 0.0).sum(axis=1) / np.maximum(is_graded.sum(axis=1), 1)
        return np.where(is_graded, grades, means[:, None])

    def _or_visible(self, positions: Sequence[int] | None) -> list[int]:
        return self.prepared.visible.tolist() if positions is None else list(positions)


def score_rubrics(
    rubrics: Sequence[Rubric], bank: GradeBank, positions: Sequence[int], votes: Sequence[int], aggregate: Aggregate
) -> Scores:
    """Return the scores of the candidates at `positions` under every rubric, computed as one matrix product."""
    keys, weights = weight_matrix(rubrics)
    return score_candidates(weights, bank.grades(keys, votes)[:, list(positions)], aggregate)


def weight_matrix(rubrics: Sequence[Rubric]) -> tuple[list[str], FloatArray]:
    """Return the sorted criterion keys of all rubrics, and their normalised weights as an array (rubrics, keys).

    >>> from autosr_lib.domain.rubric import Criterion, Rubric
    >>> clear, short = Criterion(criterion_id="c", text="Clear."), Criterion(criterion_id="s", text="Short.")
    >>> keys, weights = weight_matrix([Rubric(criteria=(clear,)), Rubric(criteria=(clear, short))])
    >>> keys == sorted([clear.key, short.key]), weights.shape, weights[:, keys.index(clear.key)].tolist()
    (True, (2, 2), [1.0, 0.5])
    """
    keys = sorted({key for rubric in rubrics for key in rubric.weight_by_key})
    column = {key: i for i, key in enumerate(keys)}
    weights = np.zeros((len(rubrics), len(keys)))
    for row, rubric in enumerate(rubrics):
        for key, weight in rubric.weight_by_key.items():
            weights[row, column[key]] = weight
    return keys, weights
