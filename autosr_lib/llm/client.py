"""The only door to the network: asks models, and keeps the run's cache, budget and record of calls.

One client serves a run. Its session belongs to an event loop and is opened by `async with client:`; what it has learnt
and counted stays, so that a run may be several event loops one after another.
"""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from autosr_lib.errors import BudgetExhausted, EndpointError, ReplyError
from autosr_lib.llm.budget import RunBudget
from autosr_lib.llm.cache import NoCache, ReplyCache
from autosr_lib.llm.capabilities import Capability, ReplyFormat
from autosr_lib.llm.completion import Completion
from autosr_lib.llm.exchange import Attempted, Exchange, NoReplyError
from autosr_lib.llm.prompts import Rendered
from autosr_lib.llm.records import CallLog, CallRecord, Outcome
from autosr_lib.llm.replies import BadReplyError, Reading
from autosr_lib.llm.requests import Question, Request
from autosr_lib.llm.settings import ROLES_WITH_A_MODEL, LlmSettings, Role
from autosr_lib.llm.shared_cache import open_cache

T = TypeVar("T")

LONGEST_PATIENCE = 30.0

_PREFLIGHT = Rendered("You check a connection.", 'Reply with this JSON object and nothing else: {"ok": true}')
_PREFLIGHT_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


class ModelClient:
    """Asks models for a run."""

    def __init__(self, settings: LlmSettings, *, api_key: str | None = None, cache: ReplyCache | None = None) -> None:
        """Make a client that is not yet open; the key is kept in memory only.

        Args:
            settings: the endpoint, its limits and the models.
            api_key: by default what the environment variable `settings.api_key_env` holds, None if that is empty.
            cache: by default the one that the settings ask for.
        """
        key = api_key or os.environ.get(settings.api_key_env, "").strip() or None
        self.settings = settings
        self.cache: ReplyCache = cache or (open_cache(settings.cache_dir) if settings.llm_cache else NoCache())
        self.calls = CallLog()
        self._asking = {role: (settings.model_for(role), settings.asking(role)) for role in ROLES_WITH_A_MODEL}
        self._asking[Role.RESPONDER] = ("", settings.asking(Role.RESPONDER))
        self._exchange = Exchange(settings, key)
        # Names the key among cached preflights without telling it.
        self._key_name = hashlib.sha256(f"autosr:{key}".encode()).hexdigest()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._entered = 0

    def __repr__(self) -> str:
        """Return the endpoint and the model, not the key."""
        return f"ModelClient({self.settings.base_url}, {self.settings.model_default})"

    @property
    def budget(self) -> RunBudget:
        """Return what the run has spent."""
        return self._exchange.budget

    @property
    def concurrency(self) -> int:
        """Return how many requests may be under way now."""
        return self._exchange.limit.limit

    def capability(self, model: str) -> Capability:
        """Return what is known of a model."""
        return self._exchange.capabilities.of(self.settings.base_url, model)

    async def __aenter__(self) -> Self:
        """Open the session in the running event loop; several askers of one loop may enter.

        Raises:
            RuntimeError: it is open in another event loop that has not ended.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise RuntimeError("the model client is open in another event loop; leave that one first")
            self._exchange.open()
            self._loop, self._entered = loop, 0
        self._entered += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the session when the last asker leaves; replies still under way are paid for, so they are kept."""
        self._entered -= 1
        if self._entered == 0:
            self._loop = None
            await self._exchange.close(min(LONGEST_PATIENCE, self.settings.llm_timeout))

    def try_again(self) -> None:
        """Forget that the endpoint would not answer, as one who lives longer than a run does: the next call finds out."""
        self._exchange.try_again()

    async def preflight(self, responders: Sequence[str] = ()) -> None:
        """Find a bad address, key or model by one tiny call for each model, before any work is spent.

        Args:
            responders: models of a pool, to be asked beside those of the roles.

        A success is kept in the cache with what was found of the model, so that a repeated run makes no call.

        Raises:
            EndpointError: the endpoint will not answer one of the models.
        """
        asked: set[str] = set()
        roles = [(role, self._asking[role][0]) for role in ROLES_WITH_A_MODEL]
        for role, model in [*roles, *((Role.RESPONDER, model) for model in responders)]:
            request = Request.of(Question(role, "", _PREFLIGHT, _PREFLIGHT_SCHEMA), model, self._asking[role][1])
            if request.model in asked:
                continue
            asked.add(request.model)
            request = request._replace(name="preflight", max_tokens=None)
            key = request._replace(parameters={**request.parameters, "key": self._key_name}).key(
                self.settings.base_url, 0
            )
            if (kept := self.cache.get(key)) is not None:
                self._remember(request.model, kept)
                continue
            call = Attempted(CallRecord(role, "", request.model, 0))
            try:
                await self._exchange.answer(request, call, lambda _: True)
            except NoReplyError as error:
                raise EndpointError(str(error)) from error
            found = self.capability(request.model)
            self.cache.put(key, json.dumps([found.reply_format, found.tokens_field]))

    async def ask(
        self,
        question: Question,
        read: Callable[[str], Reading[T]],
        merge: Callable[[T, T], T] = lambda _, second: second,
    ) -> T:
        """Return what `read` makes of the model's reply.

        A reply with a fault is asked again once with the fault named. If both can be used in part, they are merged.

        Raises:
            ReplyError: no reply came (`NoReplyError`), or none that can be read.
            EndpointError: the endpoint will not answer; the run ends.
            BudgetExhausted: the call would exceed the run's budget.
        """
        request = Request.of(question, *self._asking[question.role])
        key = request.key(self.settings.base_url, question.index)
        record = CallRecord(question.role, question.prompt_id, request.model, question.index)
        started = time.perf_counter()
        try:
            if (reading := self._kept(key, read)) is not None:
                record.cached = True
            else:
                reading = await self._answered(request, key, record, read, merge)
            record.outcome = Outcome.GOOD if reading.fault is None else Outcome.PARTIAL
        except (ReplyError, EndpointError, BudgetExhausted) as error:
            record.outcome = _outcome(error)
            raise
        finally:
            record.latency = time.perf_counter() - started
            self.calls.add(record)
        return reading.value

    def _kept(self, key: str, read: Callable[[str], Reading[T]]) -> Reading[T] | None:
        kept = self.cache.get(key)
        if kept is None:
            return None
        try:
            reading = read(kept)
        except ReplyError:
            # Kept by an earlier version that read more leniently: asked again.
            return None
        return reading if reading.fault is None else None

    async def _answered(
        self,
        request: Request,
        key: str,
        record: CallRecord,
        read: Callable[[str], Reading[T]],
        merge: Callable[[T, T], T],
    ) -> Reading[T]:
        call = Attempted(record)

        def use(completion: Completion) -> tuple[Reading[T] | BadReplyError, bool]:
            result = _read(completion, read)
            if isinstance(result, Reading) and result.fault is None:
                # On disk before it is used, so that what is paid for is never lost.
                self.cache.put(key, completion.text)
            return result, completion.is_cut_off

        first, is_cut_off = await self._exchange.answer(request, call, use)
        fault = first.fault
        if fault is None and isinstance(first, Reading):
            return first
        record.asked_again = True
        try:
            second, _ = await self._exchange.answer(request.again(fault or "", is_cut_off=is_cut_off), call, use)
        except (ReplyError, BudgetExhausted):
            if isinstance(first, BadReplyError):
                raise
            return first
        if isinstance(second, BadReplyError):
            if isinstance(first, BadReplyError):
                raise second
            return first
        if isinstance(first, BadReplyError) or second.fault is None:
            return second
        return Reading(merge(first.value, second.value), second.fault)

    def _remember(self, model: str, kept: str) -> None:
        try:
            reply_format, tokens_field = json.loads(kept)
            found = Capability(ReplyFormat(reply_format), str(tokens_field))
        except ValueError:
            return
        self._exchange.capabilities.learn(self.settings.base_url, model, found)


def _read(completion: Completion, read: Callable[[str], Reading[T]]) -> Reading[T] | BadReplyError:
    if completion.refusal is not None:
        return BadReplyError(f"the model refused: {completion.refusal[:200]}", completion.text)
    if not completion.text.strip():
        return BadReplyError("the reply is empty", completion.text)
    try:
        return read(completion.text)
    except BadReplyError as error:
        return error


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, NoReplyError):
        return Outcome.NO_REPLY
    if isinstance(error, ReplyError):
        return Outcome.BAD_REPLY
    return Outcome.ENDPOINT if isinstance(error, EndpointError) else Outcome.BUDGET
