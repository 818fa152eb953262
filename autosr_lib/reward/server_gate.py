"""ASGI middleware of the server: authentication, limits on requests, and timing.

It runs before the application, so that the body of a rejected request is not read. It never logs a text or the token.
"""

import asyncio
import hmac
import json
import logging
from time import perf_counter
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autosr_lib.reward.server_metrics import ServerMetrics

logger = logging.getLogger(__name__)

RETRY_AFTER = "1"
"""Seconds after which a client that got status 429 may try again."""
_CLOSE = {"connection": "close"}
"""The rest of the body is not read, so the connection cannot be used again."""


class RequestLimits(Protocol):
    """Limits of the server."""

    @property
    def max_concurrent(self) -> int: ...
    @property
    def max_body_bytes(self) -> int: ...
    @property
    def body_seconds(self) -> float: ...


class _RejectedError(Exception):
    """A request that does not reach the application."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


class RequestGate:
    """Replies 401, 408, 413, 429 and 500 itself, and passes all other requests on with their complete body."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        limits: RequestLimits,
        metrics: ServerMetrics,
        scoring_paths: frozenset[str],
        public_paths: frozenset[str],
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            token: the bearer token that requests need; None if they need none.
            limits: limits of the server.
            metrics: count the requests.
            scoring_paths: paths whose POST requests count toward `limits.max_concurrent`.
            public_paths: paths that need no token.
        """
        self._app = app
        self._token = None if token is None else token.encode()
        self._limits = limits
        self._metrics = metrics
        self._scoring_paths = scoring_paths
        self._public_paths = public_paths
        self._scoring_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reply to one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = _Reply(send)
        started = perf_counter()
        is_scoring = scope["path"] in self._scoring_paths and scope["method"] == "POST"
        self._scoring_requests += is_scoring
        try:
            with self._metrics.in_flight(is_scoring=is_scoring):
                self._check(scope, is_scoring=is_scoring)
                body = await self._read_body(scope, receive)
                await self._app(scope, _replay(body, receive), reply)
        except _RejectedError as rejected:
            await reply.send_error(rejected.status, rejected.detail, rejected.headers)
        except Exception as error:  # noqa: BLE001 - any error gets status 500
            # Only its type is logged: the message and the traceback may contain texts.
            logger.error("a request to %s failed: %s", scope["path"], type(error).__name__)  # noqa: TRY400
            await reply.send_error(500, "the server failed; see its log", {})
        finally:
            self._scoring_requests -= is_scoring
            self._metrics.count_request(scope, reply.status, perf_counter() - started)

    def _check(self, scope: Scope, *, is_scoring: bool) -> None:
        if self._token is not None and scope["path"] not in self._public_paths:
            authorization = dict(scope["headers"]).get(b"authorization", b"")
            scheme, _, token = authorization.partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
                raise _RejectedError(401, "the bearer token is missing or wrong", {"www-authenticate": "Bearer"})
        if is_scoring and self._scoring_requests > self._limits.max_concurrent:
            detail = f"{self._limits.max_concurrent} scoring requests are running, which is the limit; try again"
            raise _RejectedError(429, detail, {"retry-after": RETRY_AFTER})

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        limit = self._limits.max_body_bytes
        content_length = dict(scope["headers"]).get(b"content-length", b"0")
        if content_length.isdigit() and int(content_length) > limit:
            raise _RejectedError(413, f"the body has {int(content_length)} bytes; at most {limit} are allowed", _CLOSE)
        parts, size = list[bytes](), 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return b""
                    size += len(message.get("body", b""))
                    if size > limit:
                        raise _RejectedError(413, f"the body has more than {limit} bytes, the most allowed", _CLOSE)
                    parts.append(message.get("body", b""))
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            detail = f"the body did not arrive within {self._limits.body_seconds:g} s"
            raise _RejectedError(408, detail, _CLOSE) from None


class _Reply:
    """Sends the messages of a reply and records its status, 0 before the reply has started."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def send_error(self, status: int, detail: str, headers: dict[str, str]) -> None:
        """Send an error reply, unless a reply has started."""
        if self.status:
            return
        body = json.dumps({"detail": detail}).encode()
        all_headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        raw = [(name.encode(), value.encode()) for name, value in all_headers.items()]
        await self({"type": "http.response.start", "status": status, "headers": raw})
        await self({"type": "http.response.body", "body": body})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the complete body first, and then the messages of the connection."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
