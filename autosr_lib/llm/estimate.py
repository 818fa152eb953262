"""What a search will use of its models, reckoned without a call: requests, tokens and dollars by role."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from autosr_lib.domain.prompt import Prompt
from autosr_lib.llm.budget import BYTES_PER_TOKEN, RunBudget
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.prompts import FIELDS, PromptSet
from autosr_lib.llm.settings import ROLES_WITH_A_MODEL, LlmSettings, Role
from autosr_lib.search.estimate import ExpectedCalls

CRITERION_TOKENS = 70
"""A criterion with its check points, as it is shown."""
REPLY_TOKENS: Mapping[Role, float] = {Role.INITIALIZER: 900, Role.PROPOSER: 400, Role.VERIFIER: 10, Role.JUDGE: 90}
RESPONSE_TOKENS = 600
"""Tokens of a reply, beside those of each criterion graded; what a model thinks unseen is not among them."""
GRADE_TOKENS = 55
"""A grade and its reason."""


@dataclass(frozen=True)
class ExpectedUse:
    """What one role is expected to use; `cost` is None for a model without a price."""

    model: str
    calls: float = 0.0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    cost: float | None = None

    def __add__(self, other: "ExpectedUse") -> "ExpectedUse":
        return ExpectedUse(
            self.model,
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
        )


class UseEstimator:
    """Reckons with the real templates and the lengths of the real texts."""

    def __init__(self, settings: LlmSettings, contrast_pairs: int) -> None:
        """Load the templates.

        Raises:
            TemplateError: one is missing or wrong.
        """
        self._settings = settings
        self._pairs = contrast_pairs
        self._extractor = Extractor(settings.extraction)
        prompts = PromptSet(settings)
        self._prompts = prompts
        self._frame = {role: _tokens("".join(prompts[role].render(FIELDS[role]))) for role in ROLES_WITH_A_MODEL}
        self._budget = RunBudget(settings)

    def use(self, role: Role, prompt: Prompt, expected: ExpectedCalls) -> ExpectedUse:
        """Return what the role is expected to use for a prompt."""
        graded = GRADE_TOKENS * expected.criteria_per_request if role is Role.VERIFIER else 0.0
        asked, reply = self._request(role, prompt, expected), REPLY_TOKENS[role] + graded
        return self._use(role, self._settings.model_for(role), getattr(expected, role.value), asked, reply)

    def responses(self, model: str, prompt: Prompt, count: int) -> ExpectedUse:
        """Return what a model of a pool is expected to use for its responses to a prompt."""
        asked = _tokens("".join(self._prompts[Role.RESPONDER].render({"prompt": prompt.prompt})))
        return self._use(Role.RESPONDER, model, count, asked, RESPONSE_TOKENS)

    def _use(self, role: Role, model: str, calls: float, request: float, reply: float) -> ExpectedUse:
        limit = self._settings.asking(role).max_tokens
        asked, answered = request * calls, (reply if limit is None else min(limit, reply)) * calls
        is_priced = model in self._settings.prices
        cost = self._budget.priced(model, round(asked), round(answered)) if is_priced else None
        return ExpectedUse(model, calls, asked, answered, cost)

    def _request(self, role: Role, prompt: Prompt, expected: ExpectedCalls) -> float:
        """Return the tokens of one request."""
        task = _tokens(self._extractor.prompt(prompt.prompt) if role is Role.VERIFIER else prompt.prompt)
        candidate = fmean(_tokens(self._extractor.candidate(one.text)) for one in prompt.candidates)
        shown = {
            Role.INITIALIZER: min(self._settings.initializer_candidates, len(prompt.candidates)) * candidate,
            Role.PROPOSER: 2 * self._pairs * candidate + expected.rubric_size * CRITERION_TOKENS,
            Role.VERIFIER: candidate + expected.criteria_per_request * CRITERION_TOKENS,
            Role.JUDGE: 2 * candidate,
        }
        return self._frame[role] + task + shown[role]


def total_cost(uses: Sequence[ExpectedUse]) -> float | None:
    """Return the dollars of all of them; None where a model that is asked has no price."""
    known = [use.cost for use in uses if use.calls]
    return None if any(cost is None for cost in known) else sum(cost for cost in known if cost is not None)


def _tokens(text: str) -> float:
    return len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN
