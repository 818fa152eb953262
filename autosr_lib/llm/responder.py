"""The responder: models that answer a prompt as they would answer anybody."""

from autosr_lib.evaluation.roles import RespondRequest
from autosr_lib.llm.client import ModelClient
from autosr_lib.llm.fences import cleaned
from autosr_lib.llm.prompts import PromptTemplate
from autosr_lib.llm.replies import Reading
from autosr_lib.llm.requests import Question
from autosr_lib.llm.settings import Role


class LlmResponder:
    """Answers a prompt, knowing nothing of rubrics."""

    def __init__(self, client: ModelClient, template: PromptTemplate) -> None:
        self._client = client
        self._template = template

    async def respond(self, request: RespondRequest) -> str:
        """Return the model's response, as it is.

        Raises:
            ReplyError: no reply came, or an empty one, or a refusal.
            EndpointError: the endpoint will not answer; the run ends.
            BudgetExhausted: the call would exceed the run's budget.
        """
        # Not fenced: here the prompt is what the model is to follow.
        messages = self._template.render({"prompt": cleaned(request.prompt_text)})
        question = Question(Role.RESPONDER, request.prompt_id, messages, None, request.sample, request.model)
        return await self._client.ask(question, Reading)
