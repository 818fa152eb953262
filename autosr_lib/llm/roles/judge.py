"""The judge: a model that compares two candidates without a rubric."""

from autosr_lib.domain.preference import Verdict
from autosr_lib.evaluation.roles import JudgeRequest
from autosr_lib.llm.endpoint.chat_request import Question
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import fence_text
from autosr_lib.llm.replies.verdict import read_verdict
from autosr_lib.llm.schemas import JUDGE_SCHEMA
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate


class LlmJudge:
    """Compares two candidates without a rubric."""

    def __init__(self, client: ModelClient, template: PromptTemplate, extractor: Extractor) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return which of the two is better, or a tie; FIRST and SECOND refer to the order in which they are shown.

        Raises:
            ReplyError: there is no reply, or it contains no verdict; the pair stays unjudged.
            EndpointError: the endpoint cannot be used; the run ends.
            BudgetExhausted: the request would exceed the budget of the run.
        """
        messages = self._template.render(
            {
                "prompt": fence_text(request.prompt_text),
                "first": fence_text(self._extractor.extract_candidate(request.first_text)),
                "second": fence_text(self._extractor.extract_candidate(request.second_text)),
            }
        )
        question = Question(Role.JUDGE, request.prompt_id, messages, JUDGE_SCHEMA)
        return await self._client.ask(question, read_verdict)
