"""The score of a response, with the grade of every criterion and the verifier's reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank
from autosr_lib.evaluation.scoring import aggregate_votes
from autosr_lib.evaluation.settings import Aggregate
from autosr_lib.search.graded_prompt import score_rubrics


@dataclass(frozen=True)
class CriterionGrade:
    """The grade of a response by one criterion of the rubric."""

    criterion_id: str
    text: str
    weight: float
    """Share of the rubric, 0..1."""
    grade: float | None
    """0..1; None if the criterion is ungraded or does not apply."""
    votes: tuple[float | None, ...]
    """The grade of each vote."""
    reasons: tuple[str, ...] = ()
    """The verifier's reason for each vote; empty for a measured criterion."""
    is_applicable: bool = True
    """False if at least one vote says that the criterion does not apply, and no vote has a grade."""
    measure: str | None = None
    """The function that grades the criterion without a call; None if a verifier grades it."""


@dataclass(frozen=True)
class Scored:
    """A graded response; the field names are the JSON keys of `autosr score` and of the server."""

    prompt_id: str
    score: float | None
    """0..1; None is *unscored*: more than half of the rubric's weight has no grade. No number stands in for it."""
    ungraded: float
    """Share of the rubric's weight that is ungraded, 0..1; criteria that do not apply are not counted."""
    grades: tuple[CriterionGrade, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def score_response(
    prompt_id: str, rubric: Rubric, bank: GradeBank, reasons: Mapping[tuple[str, int], str], aggregate: Aggregate
) -> Scored:
    """Return the score of the one candidate in `bank`, computed as in the search.

    Args:
        prompt_id: the prompt.
        rubric: the rubric, whose criteria are all in the bank.
        bank: the grades of one candidate.
        reasons: the verifier's reasons by criterion key and vote.
        aggregate: how votes become one grade.

    >>> from autosr_lib.domain.rubric import Criterion
    >>> rubric = Rubric(criteria=(Criterion(criterion_id="a", text="Is clear."),))
    >>> bank = GradeBank(1, 1).with_criteria(rubric.criteria, ("A prompt.", ["A response."]))
    >>> score_response("p1", rubric, bank, {}, Aggregate.MEAN).ungraded
    1.0
    """
    votes = range(bank.votes)
    score = float(score_rubrics([rubric], bank, [0], votes, aggregate).score[0, 0])
    grades = tuple(
        _criterion_grade(rubric, i, bank, [reasons.get((key, vote), "") for vote in votes], aggregate)
        for i, key in enumerate(rubric.keys)
    )
    return Scored(
        prompt_id=prompt_id,
        score=None if np.isnan(score) else score,
        ungraded=sum(grade.weight for grade in grades if grade.grade is None and grade.is_applicable),
        grades=grades,
    )


def _criterion_grade(
    rubric: Rubric, index: int, bank: GradeBank, reasons: Sequence[str], aggregate: Aggregate
) -> CriterionGrade:
    criterion = rubric.criteria[index]
    stored_votes = bank.arrays[criterion.key][0]
    votes = np.where(stored_votes == NOT_APPLICABLE, np.nan, stored_votes)
    grade = float(aggregate_votes(votes[None, None, :], aggregate)[0, 0])
    return CriterionGrade(
        criterion_id=criterion.criterion_id,
        text=criterion.text,
        weight=rubric.weights[index],
        grade=None if np.isnan(grade) else grade,
        votes=tuple(None if np.isnan(vote) else float(vote) for vote in votes),
        reasons=tuple(reasons) if any(reasons) else (),
        is_applicable=not (bool(np.isnan(votes).all()) and bool((stored_votes == NOT_APPLICABLE).any())),
        measure=criterion.measure,
    )
