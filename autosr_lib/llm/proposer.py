"""The proposer: a model that adds criteria which tell apart what the parent does not."""

from typing import Any

from autosr_lib.domain.rubric import Rubric
from autosr_lib.llm.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.fences import by_label, fenced, one_line
from autosr_lib.llm.prompts import PromptTemplate
from autosr_lib.llm.replies import read_proposal
from autosr_lib.llm.requests import Question
from autosr_lib.llm.schemas import proposer_schema
from autosr_lib.llm.settings import Role
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
    """Proposes a change to a rubric."""

    def __init__(self, client: ModelClient, template: PromptTemplate, extractor: Extractor) -> None:
        self._client = client
        self._template = template
        self._extractor = extractor

    async def propose(self, request: ProposeRequest) -> Proposal:
        """Return one to three new criteria for the parent, in the manner of `request.mode`; none if there is nothing new.

        A model that only repeats the parent is asked once more, and then has nothing new to say.

        Raises:
            ReplyError: no reply came, or none that can be read.
            EndpointError: the endpoint will not answer; the run ends.
            BudgetExhausted: the call would exceed the run's budget.
            ValueError: the mode is one that asks no model.
        """
        if request.mode not in MODES:
            raise ValueError(f"mode {request.mode.value!r} asks no model; the proposer has {sorted(MODES)}")
        parent = request.parent
        labels = by_label("R", [criterion.criterion_id for criterion in parent.criteria])
        messages = self._template.render(
            {
                "prompt": fenced(request.prompt_text),
                "mode": request.mode.value,
                "criteria": _shown_criteria(parent, tuple(labels)),
                "pairs": [self._shown_pair(n, pair, parent) for n, pair in enumerate(request.pairs, 1)],
            }
        )
        schema = proposer_schema(tuple(labels))
        question = Question(Role.PROPOSER, request.prompt_id, messages, schema, request.attempt)
        return await self._client.ask(question, lambda text: read_proposal(text, parent, labels), _fuller)

    def _shown_pair(self, number: int, pair: ContrastPair, parent: Rubric) -> dict[str, Any]:
        graded = [
            {"label": label, "better": f"{pair.better_grades[key]:.2f}", "worse": f"{pair.worse_grades[key]:.2f}"}
            for label, key in by_label("R", parent.keys).items()
            if key in pair.better_grades and key in pair.worse_grades
        ]
        return {
            "number": number,
            "better": fenced(self._extractor.candidate(pair.better_text)),
            "worse": fenced(self._extractor.candidate(pair.worse_text)),
            "fault": pair.fault,
            "grades": graded,
        }


def _fuller(first: Proposal, second: Proposal) -> Proposal:
    return second if second.criteria else first


def _shown_criteria(parent: Rubric, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "text": one_line(criterion.text),
            "weight": f"{weight:.0%}",
            "check_points": [one_line(point) for point in criterion.check_points],
            "positive_examples": [one_line(example) for example in criterion.positive_examples],
            "negative_examples": [one_line(example) for example in criterion.negative_examples],
        }
        for label, criterion, weight in zip(labels, parent.criteria, parent.weights, strict=True)
    ]
