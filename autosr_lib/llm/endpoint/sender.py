"""Sending of requests with retries, within the limits and the budget of the run."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from autosr_lib.domain.wording import plural
from autosr_lib.errors import EndpointError, ReplyError
from autosr_lib.llm.call_records import CallRecord
from autosr_lib.llm.endpoint.backoff import backoff_seconds
from autosr_lib.llm.endpoint.budget import BYTES_PER_TOKEN, RunBudget, TokenUsage
from autosr_lib.llm.endpoint.capabilities import Capabilities, Capability
from autosr_lib.llm.endpoint.chat_request import ChatRequest
from autosr_lib.llm.endpoint.completion import Completion
from autosr_lib.llm.endpoint.concurrency_limit import ConcurrencyLimit
from autosr_lib.llm.endpoint.failures import NO_STATUS, Failure, fatal_error, is_refusal, is_transient
from autosr_lib.llm.endpoint.shared_rate_limit import open_rate_limit
from autosr_lib.llm.settings import LlmSettings

if TYPE_CHECKING:  # slow to import
    from autosr_lib.llm.endpoint.transport import Transport

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The endpoint counts as down after this many consecutive failed calls of this many prompts, each after all its retries.
# A single prompt that always fails does not count.
MAX_FAILED_CALLS = 10
MIN_FAILED_PROMPTS = 3

SILENT_WAIT_SECONDS = 1.0
"""Seconds to wait for pending replies at the end before the wait is logged."""

_OUT_OF_TIME = Failure(NO_STATUS, "no time was left to send it")


class NoReplyError(ReplyError):
    """A call without a reply after all retries, or with a request that the endpoint rejects."""


@dataclass
class ActiveCall:
    """One call in progress: its record, and its deadline in `time.monotonic()`, set by its first request."""

    record: CallRecord
    deadline: float | None = None


class _Attempt(NamedTuple):
    """One HTTP request: what is sent, and what is reserved for it."""

    model: str
    body: dict[str, Any]
    seconds: float
    expected: TokenUsage
    token_reservation: Any
    record: CallRecord


class RequestSender:
    """Sends requests to the endpoint; its counts and detected capabilities outlive an event loop."""

    def __init__(self, settings: LlmSettings, api_key: str | None) -> None:
        self._settings = settings
        self._key = api_key
        self.budget = RunBudget(settings)
        self.capabilities = Capabilities()
        self.concurrency = ConcurrencyLimit(settings.max_concurrency)
        self._request_rate = open_rate_limit("requests", settings.base_url, settings.requests_per_minute)
        self._token_rate = open_rate_limit("tokens", settings.base_url, settings.tokens_per_minute)
        self._transport: Transport | None = None
        self._pending: set[asyncio.Task[Any]] = set()
        self._failed_prompts: list[str] = []
        self._fatal_error: EndpointError | None = None

    def open(self) -> None:
        """Open a session in the running event loop."""
        # Not imported above: it imports openai, which takes about a second that offline searches would waste.
        from autosr_lib.llm.endpoint.transport import Transport  # noqa: PLC0415 - slow to import

        self._transport = Transport(self._settings, self._key)
        self.concurrency.reset_for_new_loop()
        self._pending.clear()
        self.clear_endpoint_failure()

    def clear_endpoint_failure(self) -> None:
        """Clear the fatal error and the failed calls, so that the next call is sent."""
        self._failed_prompts.clear()
        self._fatal_error = None

    async def close(self, max_wait: float) -> None:
        """Wait at most `max_wait` seconds for pending replies of cancelled calls, which are paid for; then close."""
        transport, self._transport = self._transport, None
        try:
            unfinished = await _wait_for(self._pending, min(max_wait, SILENT_WAIT_SECONDS))
            if unfinished:
                logger.warning(
                    "waiting up to %g s for %s", max_wait, plural(len(unfinished), "paid reply", "paid replies")
                )
                unfinished = await _wait_for(unfinished, max_wait - SILENT_WAIT_SECONDS)
                for task in unfinished:
                    task.cancel()
                await asyncio.gather(*unfinished, return_exceptions=True)
        finally:
            if transport is not None:
                await transport.close()

    async def send(self, request: ChatRequest, call: ActiveCall, process: Callable[[Completion], T]) -> T:
        """Return the processed completion of a request, sent again after transient failures.

        Args:
            request: what to send.
            call: the call that the request belongs to; its record is updated.
            process: called with the completion, even if the caller is cancelled while the request is in progress.

        Raises:
            NoReplyError: no reply after all retries, or the endpoint rejects the request.
            EndpointError: the endpoint cannot be used; the run ends.
            BudgetExhausted: the request would exceed the budget of the run.
        """
        detected = self.capabilities.get(self._settings.base_url, request.model)
        capability, retry, last_failure = detected, 0, _OUT_OF_TIME
        while True:
            result = await self._attempt(request, capability, call, process, is_retry=retry > 0)
            if not isinstance(result, Failure):
                self._failed_prompts.clear()
                if capability != detected:
                    self._remember(request.model, capability)
                return result
            if result is not _OUT_OF_TIME:
                last_failure = result
            if is_refusal(result):
                weaker = capability.after_refusal(result.message, request.body(capability))
                if weaker is not None:
                    capability = weaker
                    continue
            wait = self._seconds_to_retry(last_failure, request, call, retry)
            retry += 1
            call.record.retries += 1
            await asyncio.sleep(wait)

    async def _attempt(
        self,
        request: ChatRequest,
        capability: Capability,
        call: ActiveCall,
        process: Callable[[Completion], T],
        *,
        is_retry: bool,
    ) -> T | Failure:
        settings = self._settings
        expected = self.budget.expected_usage(request.model, request.expected_tokens, request.max_tokens)
        async with self.concurrency.slot(is_retry=is_retry):
            await self._request_rate.reserve(1)
            token_reservation = await self._token_rate.reserve(expected.tokens)
            if self._fatal_error is not None:
                raise self._fatal_error
            now = time.monotonic()
            if call.deadline is None:
                call.deadline = now + settings.llm_deadline
            seconds = min(settings.llm_timeout, call.deadline - now)
            if seconds <= 0:
                return _OUT_OF_TIME
            self.budget.reserve(expected)
            call.record.requests += 1
            body = request.body(capability)
            attempt = _Attempt(request.model, body, seconds, expected, token_reservation, call.record)
            return await self._run_shielded(self._post(attempt, process))

    async def _post(self, attempt: _Attempt, process: Callable[[Completion], T]) -> T | Failure:
        sent_at = time.monotonic()
        used: TokenUsage | None = None
        try:
            response = await self._open_transport().post(attempt.body, attempt.seconds)
            if isinstance(response, Failure):
                if response.status == 429:
                    self.concurrency.record_throttling(sent_at)
                return response
            self.concurrency.record_success()
            used = self._usage(attempt, response)
            self._token_rate.settle(attempt.token_reservation, used.tokens)
            attempt.record.add_usage(used.prompt_tokens, used.completion_tokens, used.cost)
            return process(response)
        finally:
            self.budget.settle(attempt.expected, used)

    def _usage(self, attempt: _Attempt, completion: Completion) -> TokenUsage:
        """Return the usage that the endpoint reports, completed by estimates."""
        prompt_tokens, completion_tokens = completion.prompt_tokens, completion.completion_tokens
        if prompt_tokens is None:
            prompt_tokens = attempt.expected.prompt_tokens
        if completion_tokens is None:
            completion_tokens = len(completion.text.encode()) // BYTES_PER_TOKEN + 1
        cost = completion.cost
        if cost is None:
            cost = self.budget.cost_of(attempt.model, prompt_tokens, completion_tokens)
        return TokenUsage(prompt_tokens, completion_tokens, cost)

    def _seconds_to_retry(self, failure: Failure, request: ChatRequest, call: ActiveCall, retry: int) -> float:
        """Return the seconds to wait before the next retry.

        Raises:
            NoReplyError: the failure is not transient, or no retry is left.
            EndpointError: the failure ends the run.
        """
        settings = self._settings
        if error := fatal_error(failure, request.model, settings, has_key=bool(self._key)):
            self._fatal_error = error
            raise error
        if not is_transient(failure):
            raise NoReplyError(f"{settings.base_url} rejects the {request.name} request: {failure.description}")
        wait = backoff_seconds(settings, retry, failure.retry_after)
        is_too_late = call.deadline is not None and time.monotonic() + wait >= call.deadline
        if retry < settings.llm_max_retries and not is_too_late:
            return wait
        self._count_failed_call(call.record.prompt_id, failure)
        limit = f"within {settings.llm_deadline:g} s" if is_too_late else f"after {plural(retry + 1, 'attempt')}"
        raise NoReplyError(
            f"{settings.base_url} gave no reply to the {request.name} request {limit}; "
            f"last failure: {failure.description}"
        )

    def _count_failed_call(self, prompt_id: str, failure: Failure) -> None:
        self._failed_prompts.append(prompt_id)
        calls = len(self._failed_prompts)
        if calls >= MAX_FAILED_CALLS and len(set(self._failed_prompts)) >= MIN_FAILED_PROMPTS:
            self._fatal_error = EndpointError(
                f"{self._settings.base_url} has not answered any of the last {calls} calls, each with up to "
                f"{plural(self._settings.llm_max_retries + 1, 'attempt')}; last failure: {failure.description}"
            )
            raise self._fatal_error

    def _remember(self, model: str, capability: Capability) -> None:
        self.capabilities.set(self._settings.base_url, model, capability)
        logger.info("%s: detected capability of model %s: %s", self._settings.base_url, model, capability)

    def _open_transport(self) -> "Transport":
        if self._transport is None:
            raise RuntimeError("the model client is not open in this event loop; use it inside `async with client:`")
        return self._transport

    async def _run_shielded(self, posting: Coroutine[Any, Any, T]) -> T:
        """Return the result of a request that continues if the caller is cancelled, because it is paid for."""
        task = asyncio.get_running_loop().create_task(posting)
        self._pending.add(task)
        task.add_done_callback(self._finish)
        return await asyncio.shield(task)

    def _finish(self, task: asyncio.Task[Any]) -> None:
        self._pending.discard(task)
        # Retrieve the exception of a task whose caller is gone, so that asyncio does not report it.
        if not task.cancelled():
            task.exception()


async def _wait_for(tasks: set[asyncio.Task[Any]], seconds: float) -> set[asyncio.Task[Any]]:
    """Wait at most this long, and return the unfinished tasks."""
    if not tasks:
        return set()
    return (await asyncio.wait(tasks, timeout=max(0, seconds)))[1]
