"""Limits on the requests or tokens per minute.

A run may use several event loops one after another, so nothing here belongs to a loop.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

WINDOW_SECONDS = 60.0


class RateLimit(Protocol):
    """A limit on units per minute; a unit is a request or a token."""

    async def reserve(self, units: float) -> Any:
        """Wait until `units` are free, and return their reservation."""

    def settle(self, reservation: Any, units: float) -> None:
        """Replace the reserved units by the used ones."""


@dataclass(slots=True)
class Reservation:
    """Units of a `RateWindow`, and the `time.monotonic()` at which they were reserved."""

    reserved_at: float
    units: float


class RateWindow:
    """At most `maximum` units in any 60 seconds, within one process; None for no limit.

    A leaky bucket such as aiolimiter belongs to one event loop, and allows twice its rate in the first minute.
    """

    def __init__(self, maximum: int | None) -> None:
        self._maximum = maximum
        self._reservations: deque[Reservation] = deque()
        self._sum = 0.0

    async def reserve(self, units: float) -> Reservation | None:
        """Wait until `units` fit into the window, and return their reservation; None if there is no limit."""
        if self._maximum is None:
            return None
        # A request that is larger than the entire window waits until the window is empty.
        units = min(units, float(self._maximum))
        while (wait := self._seconds_until_free(units)) > 0:  # noqa: ASYNC110 - only time frees units, not an event
            await asyncio.sleep(wait)
        reservation = Reservation(time.monotonic(), units)
        self._reservations.append(reservation)
        self._sum += units
        return reservation

    def settle(self, reservation: Reservation | None, units: float) -> None:
        """Replace the reserved units by the used ones."""
        if reservation is not None:
            if self._reservations and reservation.reserved_at >= self._reservations[0].reserved_at:
                self._sum += units - reservation.units
            reservation.units = units

    def _seconds_until_free(self, units: float) -> float:
        now = time.monotonic()
        while self._reservations and self._reservations[0].reserved_at <= now - WINDOW_SECONDS:
            self._sum -= self._reservations.popleft().units
        if not self._reservations or self._sum + units <= (self._maximum or 0):
            return 0.0
        return max(0.001, self._reservations[0].reserved_at + WINDOW_SECONDS - now)
