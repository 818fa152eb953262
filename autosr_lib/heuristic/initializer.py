"""Initial rubrics from measures."""

from autosr_lib.domain.rubric import Rubric
from autosr_lib.heuristic.standards import fitted_spec, measured_criterion, standard_measures
from autosr_lib.search.roles import InitializeRequest


class HeuristicInitializer:
    """Writes the standard criteria for the kind of prompt, each fitted to the range of the candidates' values."""

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return a rubric of about a dozen measured criteria of equal weight."""
        specs = (
            fitted_spec(name, request.prompt_text, request.candidate_texts)
            for name in standard_measures(request.prompt_text)
        )
        return Rubric(criteria=tuple(measured_criterion(spec) for spec in specs))
