"""Scoring for code that is not asynchronous, such as trainers: an event loop in a background thread."""

import asyncio
import atexit
import os
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from autosr_lib.reward.scored import Scored


class AsyncScorer(Protocol):
    """What `Blocking` needs of `Rubrics`."""

    async def score(self, prompt_id: str, response: str) -> Scored:
        """Return the score of a response."""
        ...

    async def score_batch(self, responses: Iterable[tuple[str, str]]) -> list[Scored]:
        """Return the scores of (prompt id, response) pairs, in order."""
        ...

    def with_new_client(self) -> Self:
        """Return a copy that shares no connection with this object."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Blocking:
    """Rubrics with a blocking `score`. It may be called from any thread, also while an event loop is running."""

    def __init__(self, rubrics: AsyncScorer) -> None:
        self.rubrics = rubrics
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process_id = os.getpid()

    def score(self, prompt_id: str, response: str) -> Scored:
        """Return the score of a response; see `Rubrics.score`."""
        rubrics, loop = self._open()
        return asyncio.run_coroutine_threadsafe(rubrics.score(prompt_id, response), loop).result()

    def score_batch(self, responses: Iterable[tuple[str, str]]) -> list[Scored]:
        """Return the scores of (prompt id, response) pairs, in order; see `Rubrics.score_batch`."""
        rubrics, loop = self._open()
        return asyncio.run_coroutine_threadsafe(rubrics.score_batch(list(responses)), loop).result()

    def close(self) -> None:
        """Close the connections and end the thread; the next call opens them again.

        It is called when the process ends.
        """
        with self._lock:
            if self._loop is not None and self._process_id == os.getpid():
                asyncio.run_coroutine_threadsafe(self.rubrics.__aexit__(None, None, None), self._loop).result()
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _open(self) -> tuple[AsyncScorer, asyncio.AbstractEventLoop]:
        """Return the rubrics, with open connections, and their event loop in this process."""
        with self._lock:
            # A forked process inherits neither the thread nor usable connections from its parent.
            if self._process_id != os.getpid():
                self.rubrics, self._loop, self._process_id = self.rubrics.with_new_client(), None, os.getpid()
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="autosr-reward", daemon=True).start()
                asyncio.run_coroutine_threadsafe(self.rubrics.__aenter__(), self._loop).result()
                atexit.register(self.close)
            return self.rubrics, self._loop
