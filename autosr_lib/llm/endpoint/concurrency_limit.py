"""A limit on concurrent requests that adapts to the endpoint.

A run may use several event loops one after another, so only the waiting requests belong to a loop, never the limit.
"""

import asyncio
import time
from collections import deque
from types import TracebackType

SHRINK_FACTOR = 0.5
"""Factor of the limit after an HTTP 429."""


class ConcurrencyLimit:
    """A limit on concurrent requests: halved when the endpoint returns 429, grown by each success."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = float(maximum)
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shrunk_at = float("-inf")

    @property
    def current(self) -> int:
        """Return the number of concurrent requests that is allowed now."""
        return int(self._limit)

    def reset_for_new_loop(self) -> None:
        """Drop the requests of an event loop that has ended; keep the current limit."""
        self._active = 0
        self._waiting.clear()

    def slot(self, *, is_retry: bool = False) -> "_Slot":
        """Return an async context that holds one of the slots; a retry is served before first requests."""
        return _Slot(self, is_retry)

    def record_success(self) -> None:
        """Grow the limit by 1 per `limit` successes, up to the maximum."""
        if self._limit < self._maximum:
            self._limit = min(float(self._maximum), self._limit + 1 / self._limit)
            self._wake_waiting()

    def record_throttling(self, sent_at: float) -> None:
        """Halve the limit, but only once for all requests that were in progress at the same time.

        Args:
            sent_at: `time.monotonic()` when the throttled request was sent.
        """
        if sent_at > self._shrunk_at:
            self._shrunk_at = time.monotonic()
            self._limit = max(1.0, min(self._limit, self._active) * SHRINK_FACTOR)

    async def acquire(self, *, is_retry: bool = False) -> None:
        """Wait for a slot; each `acquire` needs a `release`."""
        if self._active < self.current and not self._waiting:
            self._active += 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if is_retry:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            # The slot was granted at the moment of the cancellation: pass it on.
            if waiter.done() and not waiter.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Free a slot."""
        self._active -= 1
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        while self._waiting and self._active < self.current:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._active += 1
                waiter.set_result(None)


class _Slot:
    """One slot of a `ConcurrencyLimit`."""

    __slots__ = ("_is_retry", "_limit")

    def __init__(self, limit: ConcurrencyLimit, is_retry: bool) -> None:
        self._limit = limit
        self._is_retry = is_retry

    async def __aenter__(self) -> None:
        await self._limit.acquire(is_retry=self._is_retry)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._limit.release()
