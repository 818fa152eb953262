"""An event loop with a virtual clock: when every task is waiting, the clock moves to the next wake-up time.

Waiting times are exact, and hours of waiting take seconds. Processor time does not count.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """A selector that moves the clock forward instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return the events that are ready; if there are none, move the clock forward by `timeout`."""
        if ready := super().select(0):
            return ready
        self.now += timeout or 0.0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that uses the clock of its selector."""

    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        """Return the virtual time in seconds since the start."""
        return self.clock.now


def run_on_virtual_clock(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Return the result of the coroutine, and the virtual seconds that it waited."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work), loop.time()
    finally:
        loop.close()
