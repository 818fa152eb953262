"""Comparison of two candidates by the standard measures."""

from autosr_lib.domain.preference import Verdict
from autosr_lib.evaluation.measures import measure
from autosr_lib.evaluation.roles import JudgeRequest
from autosr_lib.heuristic.standards import standard_measures

TIE_ZONE = 0.01
"""Largest difference between the means of the measures that counts as a tie."""


class HeuristicJudge:
    """Prefers the candidate with the higher mean of the standard measures; the order of the two does not matter."""

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return which candidate is better, or a tie if their means differ by at most `TIE_ZONE`."""
        specs = standard_measures(request.prompt_text)
        first, second = (
            sum(measure(spec, request.prompt_text, text) for spec in specs) / len(specs)
            for text in (request.first_text, request.second_text)
        )
        if abs(first - second) <= TIE_ZONE:
            return Verdict.TIE
        return Verdict.FIRST if first > second else Verdict.SECOND
