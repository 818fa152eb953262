"""The initializer: a model that writes the first rubric of a prompt."""

from autosr_lib.domain.rubric import Rubric
from autosr_lib.llm.endpoint.chat_request import Question
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import fence_text
from autosr_lib.llm.replies.criteria import read_rubric
from autosr_lib.llm.schemas import INITIALIZER_SCHEMA
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate
from autosr_lib.search.roles import InitializeRequest


class LlmInitializer:
    """Writes the first rubric of a prompt."""

    def __init__(self, client: ModelClient, template: PromptTemplate, extractor: Extractor) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor

    async def write(self, request: InitializeRequest) -> Rubric:
        """Return a rubric for the prompt.

        Raises:
            ReplyError: there is no reply, or it contains no usable criterion.
            EndpointError: the endpoint cannot be used; the run ends.
            BudgetExhausted: the request would exceed the budget of the run.
        """
        texts = request.candidate_texts[: self._client.settings.initializer_candidates]
        messages = self._template.render(
            {
                "prompt": fence_text(request.prompt_text),
                "candidates": [
                    {"label": str(number), "text": fence_text(self._extractor.extract_candidate(text))}
                    for number, text in enumerate(texts, 1)
                ],
            }
        )
        question = Question(Role.INITIALIZER, request.prompt_id, messages, INITIALIZER_SCHEMA)
        return await self._client.ask(question, read_rubric)
