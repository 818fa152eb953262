"""Writes a first rubric from measures."""

from autosr_lib.domain.rubric import Rubric
from autosr_lib.heuristic.standards import fitted_spec, measured_criterion, standard_measures
from autosr_lib.search.roles import InitializeRequest


class HeuristicInitializer:
    """Writes the standard criteria for the kind of prompt, each with equal weight and as wide as the candidates differ."""

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return a dozen or so measured criteria of equal weight."""
        specs = (
            fitted_spec(name, request.prompt_text, request.candidate_texts)
            for name in standard_measures(request.prompt_text)
        )
        return Rubric(criteria=tuple(measured_criterion(spec) for spec in specs))
