"""Limits on what is sent: how much at once, and how much in a minute.

Both hold for the whole run. A run may be several event loops one after another, so nothing here is bound to a loop but
those who wait in it.
"""

import asyncio
import time
from collections import deque
from types import TracebackType

SHRINK = 0.5
WINDOW_SECONDS = 60.0


class AdaptiveLimit:
    """A limit on requests under way, that halves when the endpoint says "too many" and grows back with each success."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shrunk_at = float("-inf")

    @property
    def limit(self) -> int:
        """Return how many may be under way now."""
        return int(self._limit)

    def new_loop(self) -> None:
        """Forget who waited in an event loop that has ended; keep the limit that was found."""
        self._active = 0
        self._waiting.clear()

    def slot(self, *, again: bool = False) -> "_Slot":
        """Return a place among those under way, as an async context; a retry goes before those who never had one."""
        return _Slot(self, again)

    def succeeded(self) -> None:
        """Grow by one for every `limit` successes."""
        if self._limit < self._most:
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._wake()

    def throttled(self, started: float) -> None:
        """Halve, but only once for all the requests that were under way together; `started` is when this one was."""
        if started > self._shrunk_at:
            self._shrunk_at = time.monotonic()
            self._limit = max(1.0, min(self._limit, self._active) * SHRINK)

    async def _enter(self, again: bool) -> None:
        if self._active < int(self._limit) and not self._waiting:
            self._active += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if again:
            self._waiting.appendleft(place)
        else:
            self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            # Given a place and cancelled at the same moment: hand it on.
            if place.done() and not place.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self._active -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._active < int(self._limit):
            place = self._waiting.popleft()
            if not place.done():
                self._active += 1
                place.set_result(None)


class _Slot:
    """One place under an `AdaptiveLimit`."""

    __slots__ = ("_again", "_limit")

    def __init__(self, limit: AdaptiveLimit, again: bool) -> None:
        self._limit = limit
        self._again = again

    async def __aenter__(self) -> None:
        await self._limit._enter(self._again)  # noqa: SLF001 - the two are one thing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limit._leave()  # noqa: SLF001 - the two are one thing


class RateWindow:
    """At most so many units in any 60 seconds.

    A leaky bucket (aiolimiter) is bound to one event loop, and lets twice its rate through in the first minute.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._spent: deque[list[float]] = deque()
        self._sum = 0.0

    async def spend(self, units: float) -> list[float] | None:
        """Wait until `units` fit into the window and enter them; return the entry, for `correct`."""
        if self._most is None:
            return None
        # What is larger than the whole window has to pass too, alone.
        units = min(units, float(self._most))
        while (wait := self._wait(units)) > 0:  # noqa: ASYNC110 - what is waited for is time, not an event
            await asyncio.sleep(wait)
        entry = [time.monotonic(), units]
        self._spent.append(entry)
        self._sum += units
        return entry

    def correct(self, entry: list[float] | None, units: float) -> None:
        """Put what was used in place of what was expected."""
        if entry is not None:
            if self._spent and entry[0] >= self._spent[0][0]:
                self._sum += units - entry[1]
            entry[1] = units

    def _wait(self, units: float) -> float:
        now = time.monotonic()
        while self._spent and self._spent[0][0] <= now - WINDOW_SECONDS:
            self._sum -= self._spent.popleft()[1]
        if not self._spent or self._sum + units <= (self._most or 0):
            return 0.0
        return max(0.001, self._spent[0][0] + WINDOW_SECONDS - now)
