"""The proposer: a model that proposes criteria which distinguish candidates better than the parent rubric does."""

from typing import Any

from autosr_lib.domain.rubric import Rubric
from autosr_lib.llm.endpoint.chat_request import Question
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import fence_text, label_items, to_one_line
from autosr_lib.llm.replies.criteria import read_proposal
from autosr_lib.llm.schemas import proposer_schema
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate
from autosr_lib.search.roles import ContrastPair, MutationMode, Proposal, ProposeRequest

MODES = frozenset(
    {
        MutationMode.RAISE_BAR,
        MutationMode.DECOMPOSE,
        MutationMode.FACTUAL_FOCUS,
        MutationMode.ANTI_FLUFF,
        MutationMode.COUNTEREXAMPLE_TRIGGER,
    }
)


class LlmProposer:
    """Proposes changes to a rubric."""

    def __init__(self, client: ModelClient, template: PromptTemplate, extractor: Extractor) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return one to three new criteria for the parent, according to `request.mode`.

        If the model only repeats criteria of the parent, the request is repeated once; the proposal may then be empty.

        Raises:
            ReplyError: there is no reply, or it contains no usable criterion.
            EndpointError: the endpoint cannot be used; the run ends.
            BudgetExhausted: the request would exceed the budget of the run.
            ValueError: the mode does not use a model.
        """
        if request.mode not in MODES:
            raise ValueError(
                f"mode {request.mode.value!r} does not use a model; modes of the proposer: {sorted(MODES)}"
            )
        parent = request.parent
        labels = label_items("R", [criterion.criterion_id for criterion in parent.criteria])
        messages = self._template.render(
            {
                "prompt": fence_text(request.prompt_text),
                "mode": request.mode.value,
                "criteria": _criteria_fields(parent, tuple(labels)),
                "pairs": [self._pair_fields(number, pair, parent) for number, pair in enumerate(request.pairs, 1)],
            }
        )
        schema = proposer_schema(tuple(labels))
        question = Question(Role.PROPOSER, request.prompt_id, messages, schema, request.attempt)
        return await self._client.ask(question, lambda text: read_proposal(text, parent, labels), _prefer_second)

    def _pair_fields(self, number: int, pair: ContrastPair, parent: Rubric) -> dict[str, Any]:
        grades = [
            {"label": label, "better": f"{pair.better_grades[key]:.2f}", "worse": f"{pair.worse_grades[key]:.2f}"}
            for label, key in label_items("R", parent.keys).items()
            if key in pair.better_grades and key in pair.worse_grades
        ]
        return {
            "number": number,
            "better": fence_text(self._extractor.extract_candidate(pair.better_text)),
            "worse": fence_text(self._extractor.extract_candidate(pair.worse_text)),
            "fault": pair.fault,
            "grades": grades,
        }


def _prefer_second(first: Proposal, second: Proposal) -> Proposal:
    """Return the second proposal, or the first if the second is empty."""
    return second if second.criteria else first


def _criteria_fields(parent: Rubric, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "text": to_one_line(criterion.text),
            "weight": f"{weight:.0%}",
            "check_points": [to_one_line(point) for point in criterion.check_points],
            "positive_examples": [to_one_line(example) for example in criterion.positive_examples],
            "negative_examples": [to_one_line(example) for example in criterion.negative_examples],
        }
        for label, criterion, weight in zip(labels, parent.criteria, parent.weights, strict=True)
    ]
