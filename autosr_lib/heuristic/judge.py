"""Compares two candidates by the standard measures."""

from autosr_lib.domain.preference import Verdict
from autosr_lib.evaluation.measures import measure
from autosr_lib.evaluation.roles import JudgeRequest
from autosr_lib.heuristic.standards import standard_measures

TIE_ZONE = 0.01
"""Difference of the mean measure that decides nothing."""


class HeuristicJudge:
    """Prefers the candidate with the higher equal-weight mean of the standard measures; both orders agree."""

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return the better of the two, or a tie within `TIE_ZONE`."""
        specs = standard_measures(request.prompt_text)
        first, second = (
            sum(measure(spec, request.prompt_text, text) for spec in specs) / len(specs)
            for text in (request.first_text, request.second_text)
        )
        if abs(first - second) <= TIE_ZONE:
            return Verdict.TIE
        return Verdict.FIRST if first > second else Verdict.SECOND
