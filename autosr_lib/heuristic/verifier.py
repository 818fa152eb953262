"""Grading of candidates by measures and word overlap."""

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
    """Grades by the criterion's measure, else by overlap of content words with its check points, examples or text.

    Noise is derived from a hash of the texts, the criterion and the vote. A grade therefore does not depend on which
    other criteria the request contains.
    """

    def __init__(self, seed: int, noise: float = 0.0) -> None:
        self._seed = seed
        self._noise = noise

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return a grade for every criterion of the request."""
        return {criterion.key: Grade(self._value(criterion, request)) for criterion in request.criteria}

    def _value(self, criterion: Criterion, request: GradeRequest) -> float:
        if criterion.measure is not None:
            return measure(criterion.measure, request.prompt_text, request.candidate_text)
        value = _lexical_grade(criterion, request.candidate_text)
        if self._noise > 0:
            draw = unit_draw(self._seed, request.prompt_text, request.candidate_text, criterion.key, request.vote)
            value += self._noise * STANDARD_NORMAL.inv_cdf(draw)
        return min(1.0, max(0.0, value))


def _lexical_grade(criterion: Criterion, candidate_text: str) -> float:
    """Return 0..1, the mean of up to three parts: check points met, similarity to good, dissimilarity to bad examples.

    Without check points and examples it is the share of the criterion's own words that the candidate mentions.
    """
    parts = []
    if criterion.check_points:
        parts.append(fmean(_mentioned_share(point, candidate_text) for point in criterion.check_points))
    if criterion.positive_examples:
        parts.append(max(_similarity(example, candidate_text) for example in criterion.positive_examples))
    if criterion.negative_examples:
        parts.append(1 - max(_similarity(example, candidate_text) for example in criterion.negative_examples))
    return fmean(parts) if parts else _mentioned_share(criterion.text, candidate_text)


def _mentioned_share(text: str, candidate_text: str) -> float:
    """Return the share of the text's content words that the candidate mentions."""
    words, candidate_words = read_text(text).content, read_text(candidate_text).content
    return share(sum(word in candidate_words for word in words), len(words), 0.0)


def _similarity(text: str, candidate_text: str) -> float:
    """Return the Dice coefficient of the content words of the two texts, counting repetitions."""
    words, candidate_words = read_text(text).content, read_text(candidate_text).content
    return share(2 * (words & candidate_words).total(), words.total() + candidate_words.total(), 0.0)
