"""The responder: models that answer a prompt as they would for any user."""

from autosr_lib.evaluation.roles import RespondRequest
from autosr_lib.llm.endpoint.chat_request import Question
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.fences import clean_text
from autosr_lib.llm.replies.parsing import ParsedReply
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate


class LlmResponder:
    """Answers a prompt without knowing of rubrics."""

    def __init__(self, client: ModelClient, template: PromptTemplate) -> None:
        self._client = client
        self._template = template

    async def respond(self, request: RespondRequest) -> str:
        """Return the unchanged response of the model.

        Raises:
            ReplyError: there is no reply, or it is empty or a refusal.
            EndpointError: the endpoint cannot be used; the run ends.
            BudgetExhausted: the request would exceed the budget of the run.
        """
        # Not fenced, because the model has to follow the prompt.
        messages = self._template.render({"prompt": clean_text(request.prompt_text)})
        question = Question(Role.RESPONDER, request.prompt_id, messages, None, request.sample, request.model)
        return await self._client.ask(question, ParsedReply)
