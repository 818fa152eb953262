"""Ctrl-C and SIGTERM: a step ends in order, and the command line knows which of the two it was."""

import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, from an event loop of its own.

    Dagster raises its interruption wherever the loop happens to be, and the loop then cancels everything at once, the
    replies under way too. Here the first signal cancels only `work`, which may wait for what is paid for, and is given
    to Dagster once the loop has ended. A second signal goes to Dagster at once.
    """
    import asyncio  # noqa: PLC0415 - the command line imports this module also for help

    if threading.current_thread() is not threading.main_thread():  # only there can signals be handled
        return asyncio.run(work)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    received: list[int] = []

    def hand_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is in a task

        def stop(number: int, _: FrameType | None) -> None:
            hand_back()
            received.append(number)
            loop.call_soon_threadsafe(task.cancel)

        for number in SIGNALS:
            signal.signal(number, stop)
        try:
            return await work
        finally:
            hand_back()

    try:
        return asyncio.run(cancellable())
    finally:
        if received:
            signal.raise_signal(received[0])


@contextmanager
def noted_signals() -> Iterator[Callable[[], int | None]]:
    """Let SIGTERM stop the command as Ctrl-C does; yield what returns the number of the last signal that came.

    Dagster puts handlers of its own in place, which do not tell which one it was; a wakeup descriptor hears of all.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    hears, told = socket.socketpair()
    hears.setblocking(False)
    told.setblocking(False)
    terminate = signal.signal(signal.SIGTERM, signal.default_int_handler)
    earlier = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)

    def last() -> int | None:
        try:
            return hears.recv(1024)[-1]
        except BlockingIOError:
            return None

    try:
        yield last
    finally:
        signal.set_wakeup_fd(earlier)
        signal.signal(signal.SIGTERM, terminate)
        hears.close()
        told.close()
