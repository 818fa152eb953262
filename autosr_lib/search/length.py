"""Whether a best rubric rewards length alone. The search does not use this; it is reported as a warning."""

from typing import NamedTuple

import numpy as np

from autosr_lib.evaluation.length_bias import rewards_length_alone
from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.context import SearchContext


class LengthReport(NamedTuple):
    """What in a rubric follows the length of the texts far more closely than the reference does."""

    score: bool
    """Whether the scores do."""
    criteria: tuple[str, ...]
    """Ids of the criteria whose grades do."""


NO_LENGTH_BIAS = LengthReport(score=False, criteria=())


def find_length_bias(context: SearchContext, conclusion: Conclusion) -> LengthReport:
    """Return what rewards length alone in the rubric to use, over all scored candidates."""
    candidates, rubric = context.prepared.prompt.candidates, conclusion.rubric
    by_id = conclusion.candidate_scores
    values = [by_id[candidate.candidate_id] for candidate in candidates]
    scores = np.array([np.nan if score is None else score for score in values])
    scored = np.flatnonzero(~np.isnan(scores))
    lengths = [len(candidates[position].text) for position in scored]
    quantiles = context.prepared.complete_reference.quantiles[scored].tolist()
    grades = context.graded(conclusion.bank, context.all_votes).aggregated_grades(rubric, scored.tolist())
    biased_ids = tuple(
        criterion.criterion_id
        for criterion, row in zip(rubric.criteria, grades.tolist(), strict=True)
        if rewards_length_alone(row, lengths, quantiles)
    )
    return LengthReport(rewards_length_alone(scores[scored].tolist(), lengths, quantiles), biased_ids)
