"""The initializer: a model that writes a first rubric."""

from autosr_lib.domain.rubric import Rubric
from autosr_lib.llm.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import fenced
from autosr_lib.llm.prompts import PromptTemplate
from autosr_lib.llm.replies import read_rubric
from autosr_lib.llm.requests import Question
from autosr_lib.llm.schemas import INITIALIZER_SCHEMA
from autosr_lib.llm.settings import Role
from autosr_lib.search.roles import InitializeRequest


class LlmInitializer:
    """Writes a first rubric."""

    def __init__(self, client: ModelClient, template: PromptTemplate, extractor: Extractor) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return a rubric for the prompt.

        Raises:
            ReplyError: no reply came, or none that holds a criterion.
            EndpointError: the endpoint will not answer; the run ends.
            BudgetExhausted: the call would exceed the run's budget.
        """
        shown = request.candidate_texts[: self._client.settings.initializer_candidates]
        messages = self._template.render(
            {
                "prompt": fenced(request.prompt_text),
                "candidates": [
                    {"label": str(number), "text": fenced(self._extractor.candidate(text))}
                    for number, text in enumerate(shown, 1)
                ],
            }
        )
        question = Question(Role.INITIALIZER, request.prompt_id, messages, INITIALIZER_SCHEMA)
        return await self._client.ask(question, read_rubric)
