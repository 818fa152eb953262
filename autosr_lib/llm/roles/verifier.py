"""The verifier: a model that grades one candidate by several criteria."""

from collections.abc import Mapping

from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.endpoint.chat_request import Question
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import fence_text, label_items, to_one_line
from autosr_lib.llm.replies.grades import read_grades
from autosr_lib.llm.schemas import scale_max, verifier_schema
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate


class LlmVerifier:
    """Grades one candidate by several criteria."""

    def __init__(
        self, client: ModelClient, template: PromptTemplate, extractor: Extractor, grading: GradingSettings
    ) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor
        self._grading = grading

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        """Return the grades by criterion key; a criterion without a grade is *ungraded*.

        Raises:
            ReplyError: there is no reply, or it contains no valid grade; all criteria of the request are ungraded.
            EndpointError: the endpoint cannot be used; the run ends.
            BudgetExhausted: the request would exceed the budget of the run.
        """
        grading = self._grading
        # Criteria with equal content have the same key, and are graded once.
        criteria = {criterion.key: criterion for criterion in request.criteria}
        if not criteria:
            return {}
        labels = label_items("C", list(criteria))
        messages = self._template.render(
            {
                "prompt": fence_text(self._extractor.extract_prompt(request.prompt_text)),
                "candidate": fence_text(self._extractor.extract_candidate(request.candidate_text)),
                "criteria": [
                    {
                        "label": label,
                        "text": to_one_line(criteria[key].text),
                        "check_points": [to_one_line(point) for point in criteria[key].check_points],
                        "positive_examples": [to_one_line(example) for example in criteria[key].positive_examples],
                        "negative_examples": [to_one_line(example) for example in criteria[key].negative_examples],
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
