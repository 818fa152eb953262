"""An event loop in which waiting takes no time: what is asleep wakes as soon as nothing else has anything to do.

What a search waits for is then exact, and hours of it take seconds. What the processor takes counts as nothing.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Moves the clock forward where it would wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready at once; else let `timeout` be over."""
        if ready := super().select(0):
            return ready
        self.now += timeout or 0.0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is the selector's."""

    def __init__(self) -> None:
        self.clock = _Selector()
        super().__init__(self.clock)

    def time(self) -> float:
        """Return the seconds waited since the beginning."""
        return self.clock.now


def waited(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Return what the coroutine returns and how many seconds it would have waited."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work), loop.time()
    finally:
        loop.close()
