"""What of a best rubric follows the length of the texts; the search takes no notice, people are warned."""

from typing import NamedTuple

import numpy as np

from autosr_lib.evaluation.length_bias import rewards_length_alone
from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.mutation import known_grades
from autosr_lib.search.state import SearchContext


class LengthReport(NamedTuple):
    """What follows the length of the texts far more closely than the truth about them does."""

    score: bool
    """The score under the rubric to use."""
    criteria: tuple[str, ...]
    """Ids of its criteria whose grades do."""


NOTHING_FOLLOWS = LengthReport(score=False, criteria=())


def length_report(context: SearchContext, conclusion: Conclusion) -> LengthReport:
    """Return what of the best rubric rewards length alone, over all candidates that are scored."""
    candidates = context.prepared.prompt.candidates
    told = [conclusion.candidate_scores[candidate.candidate_id] for candidate in candidates]
    scores = np.array([np.nan if score is None else score for score in told])
    scored = np.flatnonzero(~np.isnan(scores))
    lengths = [len(candidates[place].text) for place in scored]
    truths = context.prepared.whole_reference.quantiles[scored].tolist()
    rubric = conclusion.rubric
    grades = known_grades(
        conclusion.bank, rubric.keys, scored.tolist(), context.all_votes, context.settings.grading.aggregate
    )
    follows = [
        criterion.criterion_id
        for criterion, values in zip(rubric.criteria, grades.tolist(), strict=True)
        if rewards_length_alone(values, lengths, truths)
    ]
    return LengthReport(rewards_length_alone(scores[scored].tolist(), lengths, truths), tuple(follows))
