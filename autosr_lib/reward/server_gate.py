"""The gate of the server: who may come in, how many at once, and with how much.

It stands before the application, so that nothing is read of a request that may not come in. Neither texts nor the token
are ever logged.
"""

import asyncio
import hmac
import json
import logging
from time import perf_counter
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autosr_lib.reward.server_metrics import Metrics

logger = logging.getLogger(__name__)

RETRY_AFTER = "1"
"""Seconds after which one who was turned away may come again."""


class Limits(Protocol):
    """What is allowed."""

    @property
    def max_concurrent(self) -> int: ...
    @property
    def max_body_bytes(self) -> int: ...
    @property
    def body_seconds(self) -> float: ...


class _RefusedError(Exception):
    """A request that is answered here."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


class Gate:
    """Answers 401, 408, 413, 429 and 500 itself, and lets in what remains, with its whole body."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        limits: Limits,
        metrics: Metrics,
        counted: frozenset[str],
        open_to_all: frozenset[str],
    ) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._limits = limits
        self._metrics = metrics
        self._counted = counted
        self._open_to_all = open_to_all
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        started = perf_counter()
        is_counted = scope["path"] in self._counted and scope["method"] == "POST"
        self._under_way += is_counted
        try:
            with self._metrics.in_flight(is_counted=is_counted):
                self._check(scope, is_counted=is_counted)
                body = await self._body(scope, receive)
                await self._app(scope, _replayed(body, receive), answer)
        except _RefusedError as refused:
            await answer.say(refused.status, refused.detail, refused.headers)
        except Exception as error:  # noqa: BLE001 - its message and its traceback may hold texts: only its kind is told
            logger.error("a request to %s failed: %s", scope["path"], type(error).__name__)  # noqa: TRY400
            await answer.say(500, "the server failed; its log says how", {})
        finally:
            self._under_way -= is_counted
            self._metrics.request(scope, answer.status, perf_counter() - started)

    def _check(self, scope: Scope, *, is_counted: bool) -> None:
        if self._token is not None and scope["path"] not in self._open_to_all:
            told = dict(scope["headers"]).get(b"authorization", b"")
            kind, _, given = told.partition(b" ")
            if kind.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
                raise _RefusedError(401, "the bearer token is missing or wrong", {"www-authenticate": "Bearer"})
        if is_counted and self._under_way > self._limits.max_concurrent:
            said = f"{self._limits.max_concurrent} requests are under way, which is the most; try again"
            raise _RefusedError(429, said, {"retry-after": RETRY_AFTER})

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        most = self._limits.max_body_bytes
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said) > most:
            raise _RefusedError(413, f"the body has {int(said)} bytes; at most {most} are allowed", _CLOSE)
        parts, size = list[bytes](), 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return b""
                    size += len(message.get("body", b""))
                    if size > most:
                        raise _RefusedError(413, f"the body has more than {most} bytes, the most allowed", _CLOSE)
                    parts.append(message.get("body", b""))
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise _RefusedError(408, f"the body did not come in {self._limits.body_seconds:g} s", _CLOSE) from None


_CLOSE = {"connection": "close"}
"""The rest of a body is not read, so nothing can follow it."""


class _Answer:
    """What is sent; knows whether an answer has begun, and with which status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def say(self, status: int, detail: str, headers: dict[str, str]) -> None:
        """Send an answer of one sentence, unless one has begun."""
        if self.status:
            return
        body = json.dumps({"detail": detail}).encode()
        told = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        raw = [(name.encode(), value.encode()) for name, value in told.items()]
        await self({"type": "http.response.start", "status": status, "headers": raw})
        await self({"type": "http.response.body", "body": body})


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that tells the body at once, and after it what the connection says."""
    told: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return told.pop() if told else await receive()

    return replay
