"""The judge: a model that says which of two candidates is better, without a rubric."""

from autosr_lib.domain.preference import Verdict
from autosr_lib.evaluation.roles import JudgeRequest
from autosr_lib.llm.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import fenced
from autosr_lib.llm.prompts import PromptTemplate
from autosr_lib.llm.replies import read_verdict
from autosr_lib.llm.requests import Question
from autosr_lib.llm.schemas import JUDGE_SCHEMA
from autosr_lib.llm.settings import Role


class LlmJudge:
    """Says which of two candidates is better, without a rubric."""

    def __init__(self, client: ModelClient, template: PromptTemplate, extractor: Extractor) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor

    async def prefer(self, request: JudgeRequest) -> Verdict:
        """Return which of the two is better, or a tie, in the order in which they are shown.

        Raises:
            ReplyError: no reply came, or none that names one of the two or a tie; the pair stays unjudged.
            EndpointError: the endpoint will not answer; the run ends.
            BudgetExhausted: the call would exceed the run's budget.
        """
        messages = self._template.render(
            {
                "prompt": fenced(request.prompt_text),
                "first": fenced(self._extractor.candidate(request.first_text)),
                "second": fenced(self._extractor.candidate(request.second_text)),
            }
        )
        question = Question(Role.JUDGE, request.prompt_id, messages, JUDGE_SCHEMA)
        return await self._client.ask(question, read_verdict)
