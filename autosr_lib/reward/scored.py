"""What grading a response comes to: a score, and for every criterion its grade and the reason given."""

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
    """One criterion of the rubric, as a response was graded by it."""

    criterion_id: str
    text: str
    weight: float
    """Share of the rubric, 0..1."""
    grade: float | None
    """0..1; None where nobody graded it, or it does not apply."""
    votes: tuple[float | None, ...]
    """The grade of every vote."""
    reasons: tuple[str, ...] = ()
    """Why, vote by vote, as the verifier says it; none where a measure grades."""
    is_applicable: bool = True
    """Whether any vote found that the criterion applies, or none could say."""
    measure: str | None = None
    """The function that grades it without any call."""


@dataclass(frozen=True)
class Scored:
    """A response that was graded."""

    prompt_id: str
    score: float | None
    """0..1; None is *unscored*: more than half of the rubric's weight has no grade. It is never a number then."""
    ungraded: float
    """Share of the rubric's weight that nobody graded, 0..1; what does not apply is not in it."""
    grades: tuple[CriterionGrade, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def scored(
    prompt_id: str, rubric: Rubric, bank: GradeBank, reasons: Mapping[tuple[str, int], str], aggregate: Aggregate
) -> Scored:
    """Return what the grades of the one candidate in `bank` come to, by the arithmetic of the search.

    Args:
        prompt_id: the prompt.
        rubric: all its criteria are known to the bank.
        bank: the grades of one candidate.
        reasons: by criterion key and vote.
        aggregate: how votes become one grade.
    """
    votes = range(bank.votes)
    score = float(score_rubrics([rubric], bank, [0], votes, aggregate).score[0, 0])
    grades = tuple(
        _grade(rubric, place, bank, [reasons.get((key, vote), "") for vote in votes], aggregate)
        for place, key in enumerate(rubric.keys)
    )
    return Scored(
        prompt_id=prompt_id,
        score=None if np.isnan(score) else score,
        ungraded=sum(one.weight for one in grades if one.grade is None and one.is_applicable),
        grades=grades,
    )


def _grade(rubric: Rubric, place: int, bank: GradeBank, reasons: Sequence[str], aggregate: Aggregate) -> CriterionGrade:
    criterion = rubric.criteria[place]
    given = bank.arrays[criterion.key][0]
    known = np.where(given == NOT_APPLICABLE, np.nan, given)
    grade = float(aggregate_votes(known[None, None, :], aggregate)[0, 0])
    return CriterionGrade(
        criterion_id=criterion.criterion_id,
        text=criterion.text,
        weight=rubric.weights[place],
        grade=None if np.isnan(grade) else grade,
        votes=tuple(None if np.isnan(one) else float(one) for one in known),
        reasons=tuple(reasons) if any(reasons) else (),
        is_applicable=not (bool(np.isnan(known).all()) and bool((given == NOT_APPLICABLE).any())),
        measure=criterion.measure,
    )
