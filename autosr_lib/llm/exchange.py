"""Requests and their retries, under the limits and the budget of the run."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from autosr_lib.errors import EndpointError, ReplyError
from autosr_lib.llm.budget import BYTES_PER_TOKEN, RunBudget, Usage
from autosr_lib.llm.capabilities import Capabilities, Capability
from autosr_lib.llm.completion import Completion, Failure
from autosr_lib.llm.limits import AdaptiveLimit
from autosr_lib.llm.records import CallRecord
from autosr_lib.llm.requests import Request
from autosr_lib.llm.retrying import backoff
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.llm.shared_limit import rate_window
from autosr_lib.llm.transport import NO_ANSWER, Transport, fatal_error, is_passing, is_refusal

logger = logging.getLogger(__name__)

T = TypeVar("T")

# So many calls of so many prompts, none answered in spite of all retries and no other answered in between: nobody is
# there. One prompt that always fails must not look like that.
SILENT_CALLS = 10
SILENT_PROMPTS = 3

UNTOLD_PATIENCE = 1.0
"""Seconds for which replies are waited for without a word."""

_LATE = Failure(NO_ANSWER, "no time was left to send it")


class NoReplyError(ReplyError):
    """A call that brought no reply in spite of all retries, or that the endpoint refuses."""


@dataclass
class Attempted:
    """One call under way: its record, and when it has to end, counted from its first try."""

    record: CallRecord
    deadline: float | None = None


class _Sent(NamedTuple):
    """One request on its way: what it is, and what was set aside for it."""

    model: str
    body: dict[str, Any]
    seconds: float
    expected: Usage
    spent: Any
    record: CallRecord


class Exchange:
    """Sends requests to the endpoint; what it learns and counts outlives the event loop in which it is open."""

    def __init__(self, settings: LlmSettings, api_key: str | None) -> None:
        self._settings = settings
        self._key = api_key
        self.budget = RunBudget(settings)
        self.capabilities = Capabilities()
        self.limit = AdaptiveLimit(settings.max_concurrency)
        self._requests = rate_window("requests", settings.base_url, settings.requests_per_minute)
        self._tokens = rate_window("tokens", settings.base_url, settings.tokens_per_minute)
        self._transport: Transport | None = None
        self._flying: set[asyncio.Task[Any]] = set()
        self._silent: list[str] = []
        self._ended: EndpointError | None = None

    def open(self) -> None:
        """Open a session in the running event loop."""
        self._transport = Transport(self._settings, self._key)
        self.limit.new_loop()
        self._flying.clear()
        self.try_again()

    def try_again(self) -> None:
        """Forget that the endpoint would not answer."""
        self._silent.clear()
        self._ended = None

    async def close(self, patience: float) -> None:
        """Wait at most `patience` seconds for requests whose asker is gone, as they are paid for; then close."""
        transport, self._transport = self._transport, None
        try:
            late = await _unfinished(self._flying, min(patience, UNTOLD_PATIENCE))
            if late:
                logger.warning("waiting at most %g s for %d replies that are paid for", patience, len(late))
                late = await _unfinished(late, patience - UNTOLD_PATIENCE)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
        finally:
            if transport is not None:
                await transport.close()

    async def answer(self, request: Request, call: Attempted, use: Callable[[Completion], T]) -> T:
        """Return what `use` makes of the reply; it runs even if the asker is cancelled while the request is under way.

        Raises:
            NoReplyError: no reply came.
            EndpointError: the endpoint will not answer; the run ends.
            BudgetExhausted: the request would exceed the run's budget.
        """
        known = self.capabilities.of(self._settings.base_url, request.model)
        capability, retry, failure = known, 0, _LATE
        while True:
            answer = await self._attempt(request, capability, call, use, again=retry > 0)
            if not isinstance(answer, Failure):
                self._silent.clear()
                if capability != known:
                    self._learn(request.model, capability)
                return answer
            if answer is not _LATE:
                failure = answer
            if is_refusal(answer):
                weaker = capability.after_refusal(answer.message, request.body(capability))
                if weaker is not None:
                    capability = weaker
                    continue
            wait = self._wait(failure, request, call, retry)
            retry += 1
            call.record.retries += 1
            await asyncio.sleep(wait)

    async def _attempt(
        self, request: Request, capability: Capability, call: Attempted, use: Callable[[Completion], T], *, again: bool
    ) -> T | Failure:
        settings = self._settings
        expected = self.budget.expected(request.model, request.expected_tokens, request.max_tokens)
        async with self.limit.slot(again=again):
            await self._requests.spend(1)
            spent = await self._tokens.spend(expected.tokens)
            if self._ended is not None:
                raise self._ended
            now = time.monotonic()
            if call.deadline is None:
                call.deadline = now + settings.llm_deadline
            seconds = min(settings.llm_timeout, call.deadline - now)
            if seconds <= 0:
                return _LATE
            self.budget.take(expected)
            call.record.requests += 1
            sent = _Sent(request.model, request.body(capability), seconds, expected, spent, call.record)
            return await self._kept(self._send(sent, use))

    async def _send(self, sent: _Sent, use: Callable[[Completion], T]) -> T | Failure:
        started = time.monotonic()
        used: Usage | None = None
        try:
            answer = await self._open_transport().post(sent.body, sent.seconds)
            if isinstance(answer, Failure):
                if answer.status == 429:
                    self.limit.throttled(started)
                return answer
            self.limit.succeeded()
            used = self._usage(sent, answer)
            self._tokens.correct(sent.spent, used.tokens)
            sent.record.count(used.prompt_tokens, used.completion_tokens, used.cost)
            return use(answer)
        finally:
            self.budget.settle(sent.expected, used)

    def _usage(self, sent: _Sent, answer: Completion) -> Usage:
        prompt, completion = answer.prompt_tokens, answer.completion_tokens
        if prompt is None:
            prompt = sent.expected.prompt_tokens
        if completion is None:
            completion = len(answer.text.encode()) // BYTES_PER_TOKEN + 1
        cost = self.budget.priced(sent.model, prompt, completion) if answer.cost is None else answer.cost
        return Usage(prompt, completion, cost)

    def _wait(self, failure: Failure, request: Request, call: Attempted, retry: int) -> float:
        """Return how long to wait before the next try, or raise what the failure means."""
        settings = self._settings
        if error := fatal_error(failure, request.model, settings, has_key=bool(self._key)):
            self._ended = error
            raise error
        said = f"HTTP {failure.status}: {failure.message}" if failure.status else failure.message
        if not is_passing(failure):
            raise NoReplyError(f"{settings.base_url} refuses this request of the {request.name}: {said}")
        wait = backoff(settings, retry, failure.retry_after)
        is_late = call.deadline is not None and time.monotonic() + wait >= call.deadline
        if retry < settings.llm_max_retries and not is_late:
            return wait
        self._count_silence(call.record.prompt_id, said)
        after = f"within {settings.llm_deadline:g} s" if is_late else f"in {retry + 1} tries"
        raise NoReplyError(f"{settings.base_url} gave the {request.name} no reply {after}; the last: {said}")

    def _count_silence(self, prompt_id: str, said: str) -> None:
        self._silent.append(prompt_id)
        if len(self._silent) >= SILENT_CALLS and len(set(self._silent)) >= SILENT_PROMPTS:
            self._ended = EndpointError(
                f"{self._settings.base_url} has answered none of the last {len(self._silent)} calls, "
                f"each tried {self._settings.llm_max_retries + 1} times; the last: {said}"
            )
            raise self._ended

    def _learn(self, model: str, capability: Capability) -> None:
        self.capabilities.learn(self._settings.base_url, model, capability)
        logger.info("%s: model %s is asked by %s from now on", self._settings.base_url, model, capability)

    def _open_transport(self) -> Transport:
        if self._transport is None:
            raise RuntimeError("the model client is not open in this event loop; use it inside `async with client:`")
        return self._transport

    async def _kept(self, sending: Coroutine[Any, Any, T]) -> T:
        task = asyncio.get_running_loop().create_task(sending)
        self._flying.add(task)
        task.add_done_callback(self._landed)
        return await asyncio.shield(task)

    def _landed(self, task: asyncio.Task[Any]) -> None:
        self._flying.discard(task)
        # Its asker may be gone: look at the exception, so that asyncio does not report it as never retrieved.
        if not task.cancelled():
            task.exception()


async def _unfinished(tasks: set[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Return the tasks that have not ended after so many seconds."""
    if not tasks:
        return set()
    return (await asyncio.wait(tasks, timeout=max(0, seconds)))[1]
