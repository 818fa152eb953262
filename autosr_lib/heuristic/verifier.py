"""Grades a candidate by its words."""

from collections.abc import Mapping
from statistics import NormalDist, fmean

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.measure_texts import read_text
from autosr_lib.evaluation.measures import measure
from autosr_lib.evaluation.measures_source import share
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.heuristic.draws import unit_draw

STANDARD_NORMAL = NormalDist()


class HeuristicVerifier:
    """Grades by measure, else by the overlap of content words with check points, examples or the criterion's text.

    `noise` is drawn from a hash of what is graded and the vote, so that a grade does not depend on its neighbours.
    """

    def __init__(self, seed: int, noise: float = 0.0) -> None:
        self._seed = seed
        self._noise = noise

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return a grade for every criterion asked."""
        return {criterion.key: Grade(self._value(criterion, request)) for criterion in request.criteria}

    def _value(self, criterion: Criterion, request: GradeRequest) -> float:
        if criterion.measure is not None:
            return measure(criterion.measure, request.prompt_text, request.candidate_text)
        value = _lexical(criterion, request.candidate_text)
        if self._noise > 0:
            asked = (request.prompt_text, request.candidate_text, criterion.key, request.vote)
            value += self._noise * STANDARD_NORMAL.inv_cdf(unit_draw(self._seed, *asked))
        return min(1.0, max(0.0, value))


def _lexical(criterion: Criterion, candidate_text: str) -> float:
    """Return 0..1: the mean over check points met, likeness to the good and unlikeness to the bad examples.

    A criterion with none of them is judged by how much of its own text the candidate mentions.
    """
    parts = []
    if criterion.check_points:
        parts.append(fmean(_mentioned(point, candidate_text) for point in criterion.check_points))
    if criterion.positive_examples:
        parts.append(max(_likeness(example, candidate_text) for example in criterion.positive_examples))
    if criterion.negative_examples:
        parts.append(1 - max(_likeness(example, candidate_text) for example in criterion.negative_examples))
    return fmean(parts) if parts else _mentioned(criterion.text, candidate_text)


def _mentioned(text: str, candidate_text: str) -> float:
    asked, said = read_text(text).content, read_text(candidate_text).content
    return share(sum(word in said for word in asked), len(asked), 0.0)


def _likeness(text: str, candidate_text: str) -> float:
    """Return the Dice coefficient of the two texts' content words, counted."""
    one, other = read_text(text).content, read_text(candidate_text).content
    return share(2 * (one & other).total(), one.total() + other.total(), 0.0)
