"""Handles Ctrl-C and SIGTERM during a step: requests that were sent may finish before the step ends."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_until_complete(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a new event loop that shuts down cleanly after a signal, and return its result.

    Dagster would raise its interrupt at an arbitrary point of the loop, and the loop would cancel all tasks at once,
    including requests that are already paid for. Here the first signal only cancels `work`, which may wait for the replies
    to those requests; Dagster receives the signal once the loop has ended. A second signal goes to Dagster immediately.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        return asyncio.run(work)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    received: list[int] = []

    def restore_handlers() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a running coroutine always has a task

        def stop(number: int, _: FrameType | None) -> None:
            restore_handlers()
            received.append(number)
            loop.call_soon_threadsafe(task.cancel)

        for number in SIGNALS:
            signal.signal(number, stop)
        try:
            return await work
        finally:
            restore_handlers()

    try:
        return asyncio.run(cancellable())
    finally:
        if received:
            signal.raise_signal(received[0])
