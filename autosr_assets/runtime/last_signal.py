"""Records which signal stopped a command."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watch_signals() -> Iterator[Callable[[], int | None]]:
    """Make SIGTERM stop the command as Ctrl-C does; yield a function that returns the number of the last signal, or None.

    Dagster installs handlers of its own that do not record which signal arrived. A wakeup descriptor sees every signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    previous_handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    previous_descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def last_signal() -> int | None:
        try:
            return reader.recv(1024)[-1]
        except BlockingIOError:
            return None

    try:
        yield last_signal
    finally:
        signal.set_wakeup_fd(previous_descriptor)
        signal.signal(signal.SIGTERM, previous_handler)
        reader.close()
        writer.close()
