"""The verifier: a model that grades one candidate by some criteria."""

from collections.abc import Mapping

from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import by_label, fenced, one_line
from autosr_lib.llm.prompts import PromptTemplate
from autosr_lib.llm.replies import read_grades
from autosr_lib.llm.requests import Question
from autosr_lib.llm.schemas import scale_max, verifier_schema
from autosr_lib.llm.settings import Role


class LlmVerifier:
    """Grades one candidate by some criteria."""

    def __init__(
        self, client: ModelClient, template: PromptTemplate, extractor: Extractor, grading: GradingSettings
    ) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor
        self._grading = grading

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return a grade by criterion key; a criterion that is left out is *ungraded*.

        Raises:
            ReplyError: no reply came, or none in which a grade can be read; every criterion asked is ungraded.
            EndpointError: the endpoint will not answer; the run ends.
            BudgetExhausted: the call would exceed the run's budget.
        """
        grading = self._grading
        # Two criteria that say the same have one key, and are graded once.
        criteria = {criterion.key: criterion for criterion in request.criteria}
        if not criteria:
            return {}
        labels = by_label("C", list(criteria))
        messages = self._template.render(
            {
                "prompt": fenced(self._extractor.prompt(request.prompt_text)),
                "candidate": fenced(self._extractor.candidate(request.candidate_text)),
                "criteria": [
                    {
                        "label": label,
                        "text": one_line(criteria[key].text),
                        "check_points": [one_line(point) for point in criteria[key].check_points],
                        "positive_examples": [one_line(example) for example in criteria[key].positive_examples],
                        "negative_examples": [one_line(example) for example in criteria[key].negative_examples],
                    }
                    for label, key in labels.items()
                ],
                "scale": grading.scale.value,
                "scale_max": scale_max(grading.scale),
                "allow_not_applicable": grading.allow_not_applicable,
            }
        )
        schema = verifier_schema(tuple(labels), grading.scale, grading.allow_not_applicable)
        question = Question(Role.VERIFIER, request.prompt_id, messages, schema, request.vote)
        return await self._client.ask(
            question, lambda text: read_grades(text, labels, grading), merge=lambda first, second: {**first, **second}
        )
