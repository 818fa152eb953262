"""The budget of a run: the calls, tokens and dollars that it may use, and those that it has used."""

from dataclasses import dataclass
from typing import NamedTuple

from autosr_lib.errors import BudgetExhausted
from autosr_lib.llm.settings import LlmSettings

BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 per token; a good estimate for English, and for Chinese with three bytes per character."""
EXPECTED_REPLY_TOKENS = 400
"""Tokens reserved for a reply before it arrives."""


class TokenUsage(NamedTuple):
    """Tokens of one request and its cost in US dollars."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Return the sum of prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens


@dataclass
class _Reserved:
    """Expected usage of the requests in progress."""

    tokens: int = 0
    cost: float = 0.0


class RunBudget:
    """The budget of a run: rejects a request that would exceed it, and lets the requests in progress finish.

    >>> budget = RunBudget(LlmSettings(max_calls=1))
    >>> expected = budget.expected_usage("small", prompt_tokens=120, max_tokens=100)
    >>> budget.reserve(expected)
    >>> budget.settle(expected, TokenUsage(118, 25))
    >>> budget.calls, budget.tokens
    (1, 143)
    """

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._reserved = _Reserved()
        self.calls = 0
        self.tokens = 0
        self.cost = 0.0

    def expected_usage(self, model: str, prompt_tokens: int, max_tokens: int | None) -> TokenUsage:
        """Return the expected usage of a request."""
        completion_tokens = min(max_tokens or EXPECTED_REPLY_TOKENS, EXPECTED_REPLY_TOKENS)
        return TokenUsage(prompt_tokens, completion_tokens, self.cost_of(model, prompt_tokens, completion_tokens))

    def cost_of(self, model: str, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost in US dollars; 0 for a model without a price."""
        price = self._settings.prices.get(model)
        return 0.0 if price is None else price.cost(prompt_tokens, completion_tokens)

    def reserve(self, expected: TokenUsage) -> None:
        """Reserve the expected usage of a request that is about to be sent.

        Raises:
            BudgetExhausted: the request would exceed the budget.
        """
        settings = self._settings
        limits = (
            ("max_calls", settings.max_calls, self.calls, self.calls + 1),
            ("max_tokens", settings.max_tokens, self.tokens, self.tokens + self._reserved.tokens + expected.tokens),
            ("max_cost", settings.max_cost, self.cost, self.cost + self._reserved.cost + expected.cost),
        )
        for name, maximum, used, needed in limits:
            if maximum is not None and needed > maximum:
                raise BudgetExhausted(
                    f"{name} of the run is {maximum:g}; {used:g} used, and the next request would exceed it"
                )
        self.calls += 1
        self._reserved.tokens += expected.tokens
        self._reserved.cost += expected.cost

    def settle(self, expected: TokenUsage, used: TokenUsage | None) -> None:
        """Replace the reserved usage of a request by its actual usage, None if it got no reply."""
        self._reserved.tokens -= expected.tokens
        self._reserved.cost -= expected.cost
        if used is not None:
            self.tokens += used.tokens
            self.cost += used.cost
