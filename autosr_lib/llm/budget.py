"""What a run may spend on model calls, and what it has spent."""

from dataclasses import dataclass
from typing import NamedTuple

from autosr_lib.errors import BudgetExhausted
from autosr_lib.llm.settings import LlmSettings

# Bytes of UTF-8 for one token: about right for English, and for Chinese with its three bytes a character.
BYTES_PER_TOKEN = 4
EXPECTED_REPLY = 400


class Usage(NamedTuple):
    """Tokens and dollars of one request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Return the tokens of the request and its reply."""
        return self.prompt_tokens + self.completion_tokens


@dataclass
class _Held:
    """What requests under way are expected to use."""

    tokens: int = 0
    cost: float = 0.0


class RunBudget:
    """The run's budget: says no before a request that would exceed it, and lets those under way end."""

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._held = _Held()
        self.calls = 0
        self.tokens = 0
        self.cost = 0.0

    def expected(self, model: str, prompt: int, max_tokens: int | None) -> Usage:
        """Return what a request of about `prompt` tokens is expected to use."""
        completion = min(max_tokens or EXPECTED_REPLY, EXPECTED_REPLY)
        return Usage(prompt, completion, self.priced(model, prompt, completion))

    def priced(self, model: str, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the price in dollars; 0 for a model without a price."""
        price = self._settings.prices.get(model)
        if price is None:
            return 0.0
        return (prompt_tokens * price.prompt + completion_tokens * price.completion) / 1e6

    def take(self, expected: Usage) -> None:
        """Enter a request that is about to be sent.

        Raises:
            BudgetExhausted: it would exceed the budget.
        """
        settings = self._settings
        over = (
            ("max_calls", settings.max_calls, self.calls + 1, self.calls),
            ("max_tokens", settings.max_tokens, self.tokens + self._held.tokens + expected.tokens, self.tokens),
            ("max_cost", settings.max_cost, self.cost + self._held.cost + expected.cost, self.cost),
        )
        for name, most, needed, spent in over:
            if most is not None and needed > most:
                raise BudgetExhausted(
                    f"{name} of the run is {most:g}; {spent:g} spent, and the next call would exceed it"
                )
        self.calls += 1
        self._held.tokens += expected.tokens
        self._held.cost += expected.cost

    def settle(self, expected: Usage, used: Usage | None) -> None:
        """Enter what a request has used, None if it got no reply."""
        self._held.tokens -= expected.tokens
        self._held.cost -= expected.cost
        if used is not None:
            self.tokens += used.tokens
            self.cost += used.cost
