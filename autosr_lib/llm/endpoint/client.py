"""The client of a run: the only access to the endpoint, with the cache, the budget and the record of calls.

One client serves a run. `async with client:` opens a session in the running event loop. Counts and detected capabilities
outlive the session, so that a run may use several event loops one after another.
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
from autosr_lib.llm.cache import open_cache
from autosr_lib.llm.cache.reply_cache import NoCache, ReplyCache
from autosr_lib.llm.call_records import CallLog, CallOutcome, CallRecord
from autosr_lib.llm.endpoint.capabilities import Capability, ReplyFormat
from autosr_lib.llm.endpoint.chat_request import ChatRequest, Question
from autosr_lib.llm.endpoint.completion import Completion
from autosr_lib.llm.endpoint.sender import ActiveCall, NoReplyError, RequestSender
from autosr_lib.llm.replies.parsing import BadReplyError, ParsedReply
from autosr_lib.llm.settings import ROLES_WITH_A_MODEL, LlmSettings, Role
from autosr_lib.llm.templates import Messages

T = TypeVar("T")

MAX_CLOSING_SECONDS = 30.0
"""Longest wait for pending replies when the session is closed."""

_PREFLIGHT = Messages("You check a connection.", 'Reply with this JSON object and nothing else: {"ok": true}')
_PREFLIGHT_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


class ModelClient:
    """Calls models for a run."""

    def __init__(self, settings: LlmSettings, *, api_key: str | None = None, cache: ReplyCache | None = None) -> None:
        """Create a client without a session.

        Args:
            settings: the endpoint, its limits and the models.
            api_key: default: the environment variable named by `settings.api_key_env`; without it no key is sent.
                The key is kept in memory only.
            cache: default: the cache that the settings describe.
        """
        key = api_key or os.environ.get(settings.api_key_env, "").strip() or None
        self.settings = settings
        self.cache: ReplyCache = cache or (open_cache(settings.cache_dir) if settings.llm_cache else NoCache())
        self.calls = CallLog()
        self._models = {role: settings.model_for(role) for role in ROLES_WITH_A_MODEL}
        self._role_settings = {role: settings.settings_for(role) for role in Role}
        self._sender = RequestSender(settings, key)
        # Distinguishes keys among the cached preflights without storing the key.
        self._key_hash = hashlib.sha256(f"autosr:{key}".encode()).hexdigest()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._users = 0

    def __repr__(self) -> str:
        """Return the endpoint and the default model, without the key."""
        return f"ModelClient({self.settings.base_url}, {self.settings.model_default})"

    def capability(self, model: str) -> Capability:
        """Return the detected capability of a model."""
        return self._sender.capabilities.get(self.settings.base_url, model)

    async def __aenter__(self) -> Self:
        """Open the session in the running event loop; several users in one loop may share it.

        Raises:
            RuntimeError: the session is open in another event loop that has not ended.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise RuntimeError("the model client is open in another event loop; close it there first")
            self._sender.open()
            self._loop, self._users = loop, 0
        self._users += 1
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the session when its last user leaves; pending replies are paid for, so they are awaited and cached."""
        self._users -= 1
        if self._users == 0:
            self._loop = None
            await self._sender.close(min(MAX_CLOSING_SECONDS, self.settings.llm_timeout))

    def clear_endpoint_failure(self) -> None:
        """Clear the fatal-endpoint state so that the next call is sent; long-lived callers such as the server need this."""
        self._sender.clear_endpoint_failure()

    async def preflight(self, responders: Sequence[str] = ()) -> None:
        """Detect a wrong address, key or model with one small request per model, before money is spent.

        A success is cached with the detected capability of the model, so that a repeated run sends no request.

        Args:
            responders: models of a pool to check in addition to those of the roles.

        Raises:
            EndpointError: the endpoint cannot be used with one of the models.
        """
        models = [*self._models.items(), *((Role.RESPONDER, model) for model in responders)]
        checked: set[str] = set()
        for role, model in models:
            if model not in checked:
                checked.add(model)
                await self._check_model(role, model)

    async def _check_model(self, role: Role, model: str) -> None:
        question = Question(role, "", _PREFLIGHT, _PREFLIGHT_SCHEMA)
        request = ChatRequest.from_question(question, model, self._role_settings[role])
        request = request._replace(name="preflight", max_tokens=None)
        keyed_request = request._replace(parameters={**request.parameters, "key": self._key_hash})
        key = keyed_request.key(self.settings.base_url, 0)
        if (cached := self.cache.get(key)) is not None:
            self._restore_capability(model, cached)
            return
        call = ActiveCall(CallRecord(role, "", model, 0))
        try:
            await self._sender.send(request, call, lambda _: True)
        except NoReplyError as error:
            raise EndpointError(str(error)) from error
        capability = self.capability(model)
        self.cache.put(key, json.dumps([capability.reply_format, capability.tokens_field]))

    def _restore_capability(self, model: str, cached: str) -> None:
        try:
            reply_format, tokens_field = json.loads(cached)
            capability = Capability(ReplyFormat(reply_format), str(tokens_field))
        except ValueError:
            return
        self._sender.capabilities.set(self.settings.base_url, model, capability)

    async def ask(
        self,
        question: Question,
        read: Callable[[str], ParsedReply[T]],
        merge: Callable[[T, T], T] = lambda _, second: second,
    ) -> T:
        """Return the value that `read` gets from the model's reply.

        A reply with a fault is requested once more, with the fault described to the model.

        Args:
            question: what to ask.
            read: parses a reply; raises `BadReplyError` if nothing in it is usable.
            merge: combines the values of two replies that both have faults.

        Raises:
            ReplyError: there is no reply (`NoReplyError`), or none that can be used (`BadReplyError`).
            EndpointError: the endpoint cannot be used; the run ends.
            BudgetExhausted: the request would exceed the budget of the run.
        """
        role = question.role
        request = ChatRequest.from_question(question, self._models.get(role, ""), self._role_settings[role])
        key = request.key(self.settings.base_url, question.index)
        record = CallRecord(role, question.prompt_id, request.model, question.index)
        started = time.perf_counter()
        try:
            if (reply := self._cached_reply(key, read)) is not None:
                record.cached = True
            else:
                reply = await self._request_reply(request, key, record, read, merge)
            record.outcome = CallOutcome.GOOD if reply.fault is None else CallOutcome.PARTIAL
        except (ReplyError, EndpointError, BudgetExhausted) as error:
            record.outcome = _outcome(error)
            raise
        finally:
            record.latency = time.perf_counter() - started
            self.calls.add(record)
        return reply.value

    def _cached_reply(self, key: str, read: Callable[[str], ParsedReply[T]]) -> ParsedReply[T] | None:
        cached = self.cache.get(key)
        if cached is None:
            return None
        try:
            reply = read(cached)
        except ReplyError:
            # Cached by an earlier version with a more lenient reader.
            return None
        return reply if reply.fault is None else None

    async def _request_reply(
        self,
        request: ChatRequest,
        key: str,
        record: CallRecord,
        read: Callable[[str], ParsedReply[T]],
        merge: Callable[[T, T], T],
    ) -> ParsedReply[T]:
        call = ActiveCall(record)

        def process(completion: Completion) -> tuple[ParsedReply[T] | BadReplyError, bool]:
            reply = _read(completion, read)
            if isinstance(reply, ParsedReply) and reply.fault is None:
                # Stored before it is used, so that a reply that is paid for is never lost.
                self.cache.put(key, completion.text)
            return reply, completion.is_truncated

        first, is_truncated = await self._sender.send(request, call, process)
        fault = first.fault
        if fault is None and isinstance(first, ParsedReply):
            return first
        record.asked_again = True
        try:
            repeated = request.with_fault(fault or "", is_truncated=is_truncated)
            second, _ = await self._sender.send(repeated, call, process)
        except (ReplyError, BudgetExhausted):
            if isinstance(first, BadReplyError):
                raise
            return first
        return _combine(first, second, merge)


def _read(completion: Completion, read: Callable[[str], ParsedReply[T]]) -> ParsedReply[T] | BadReplyError:
    if completion.refusal is not None:
        return BadReplyError(f"the model refused: {completion.refusal[:200]}", completion.text)
    if not completion.text.strip():
        return BadReplyError("the reply is empty", completion.text)
    try:
        return read(completion.text)
    except BadReplyError as error:
        return error


def _combine(
    first: ParsedReply[T] | BadReplyError, second: ParsedReply[T] | BadReplyError, merge: Callable[[T, T], T]
) -> ParsedReply[T]:
    """Return the best of two replies, where the first one has a fault.

    Raises:
        BadReplyError: neither reply can be used.
    """
    if isinstance(second, BadReplyError):
        if isinstance(first, BadReplyError):
            raise second
        return first
    if isinstance(first, BadReplyError) or second.fault is None:
        return second
    return ParsedReply(merge(first.value, second.value), second.fault)


def _outcome(error: Exception) -> CallOutcome:
    if isinstance(error, NoReplyError):
        return CallOutcome.NO_REPLY
    if isinstance(error, ReplyError):
        return CallOutcome.BAD_REPLY
    return CallOutcome.ENDPOINT if isinstance(error, EndpointError) else CallOutcome.BUDGET
