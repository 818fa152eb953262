"""Expected usage of the models in a search, estimated without a call: requests, tokens and cost by role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from autosr_lib.domain.prompt import Prompt
from autosr_lib.llm.endpoint.budget import BYTES_PER_TOKEN
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.settings import ROLES_WITH_A_MODEL, LlmSettings, Role
from autosr_lib.llm.templates import SAMPLE_FIELDS, TemplateSet
from autosr_lib.search.estimate import ExpectedCalls

CRITERION_TOKENS = 70
"""Tokens of a criterion with its check points in a request."""
REPLY_TOKENS: Mapping[Role, float] = {Role.INITIALIZER: 900, Role.PROPOSER: 400, Role.VERIFIER: 10, Role.JUDGE: 90}
"""Tokens of a reply without its grades and without hidden reasoning."""
RESPONSE_TOKENS = 600
"""Tokens of a responder's reply."""
GRADE_TOKENS = 55
"""Tokens of a grade and its reason."""


@dataclass(frozen=True)
class ExpectedUsage:
    """Expected usage of one role; `cost` is in US dollars, None for a model without a price.

    >>> ExpectedUsage("small", 1, 200, 50, 0.01) + ExpectedUsage("small", 2, 300, 100)
    ExpectedUsage(model='small', calls=3, prompt_tokens=500, completion_tokens=150, cost=None)
    """

    model: str
    calls: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    cost: float | None = None

    def __add__(self, other: "ExpectedUsage") -> "ExpectedUsage":
        return ExpectedUsage(
            self.model,
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
        )


class UsageEstimator:
    """Estimates the usage from the actual templates and the lengths of the actual texts."""

    def __init__(self, settings: LlmSettings, contrast_pairs: int) -> None:
        """Load the templates.

        Args:
            settings: models, prices and templates.
            contrast_pairs: pairs of candidates in a request to the proposer.

        Raises:
            TemplateError: a template is missing or wrong.
        """
        self._settings = settings
        self._contrast_pairs = contrast_pairs
        self._extractor = Extractor(settings.extraction)
        templates = TemplateSet(settings)
        self._templates = templates
        self._template_tokens = {
            role: _tokens("".join(templates[role].render(SAMPLE_FIELDS[role]))) for role in ROLES_WITH_A_MODEL
        }

    def search_usage(self, role: Role, prompt: Prompt, expected: ExpectedCalls) -> ExpectedUsage:
        """Return the expected usage of a role in the search of a prompt."""
        grade_tokens = GRADE_TOKENS * expected.criteria_per_request if role is Role.VERIFIER else 0.0
        request_tokens = self._request_tokens(role, prompt, expected)
        reply_tokens = REPLY_TOKENS[role] + grade_tokens
        calls = getattr(expected, role.value)
        return self._usage(role, self._settings.model_for(role), calls, request_tokens, reply_tokens)

    def response_usage(self, model: str, prompt: Prompt, count: int) -> ExpectedUsage:
        """Return the expected usage of a model of a pool for `count` responses to a prompt."""
        request_tokens = _tokens("".join(self._templates[Role.RESPONDER].render({"prompt": prompt.prompt})))
        return self._usage(Role.RESPONDER, model, count, request_tokens, RESPONSE_TOKENS)

    def _usage(self, role: Role, model: str, calls: float, request_tokens: float, reply_tokens: float) -> ExpectedUsage:
        max_tokens = self._settings.settings_for(role).max_tokens
        prompt_tokens = request_tokens * calls
        completion_tokens = (reply_tokens if max_tokens is None else min(max_tokens, reply_tokens)) * calls
        price = self._settings.prices.get(model)
        cost = None if price is None else price.cost(round(prompt_tokens), round(completion_tokens))
        return ExpectedUsage(model, calls, prompt_tokens, completion_tokens, cost)

    def _request_tokens(self, role: Role, prompt: Prompt, expected: ExpectedCalls) -> float:
        text = self._extractor.extract_prompt(prompt.prompt) if role is Role.VERIFIER else prompt.prompt
        candidate_tokens = fmean(
            _tokens(self._extractor.extract_candidate(candidate.text)) for candidate in prompt.candidates
        )
        variable_tokens = {
            Role.INITIALIZER: min(self._settings.initializer_candidates, len(prompt.candidates)) * candidate_tokens,
            Role.PROPOSER: 2 * self._contrast_pairs * candidate_tokens + expected.rubric_size * CRITERION_TOKENS,
            Role.VERIFIER: candidate_tokens + expected.criteria_per_request * CRITERION_TOKENS,
            Role.JUDGE: 2 * candidate_tokens,
        }
        return self._template_tokens[role] + _tokens(text) + variable_tokens[role]


def total_cost(usages: Sequence[ExpectedUsage]) -> float | None:
    """Return the expected cost of all usages in US dollars; None if a model with calls has no price.

    >>> total_cost([ExpectedUsage("small", 1, cost=0.25), ExpectedUsage("large", 2, cost=1.5), ExpectedUsage("unused")])
    1.75
    >>> total_cost([ExpectedUsage("small", 1, cost=0.25), ExpectedUsage("unpriced", 1)]) is None
    True
    """
    costs = [usage.cost for usage in usages if usage.calls]
    return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)


def _tokens(text: str) -> float:
    return len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN
