"""Scores for code that is not asynchronous, as trainers are: an event loop in a thread of its own."""

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from autosr_lib.reward.scored import Scored

if TYPE_CHECKING:
    from autosr_lib.reward.rubrics import Rubrics

T = TypeVar("T")


class Blocking:
    """Rubrics whose `score` returns when it is done; it may be called from any thread, and where a loop runs already."""

    def __init__(self, rubrics: "Rubrics") -> None:
        self.rubrics = rubrics
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()

    def score(self, prompt_id: str, response: str) -> Scored:
        """Return a response's score; see `Rubrics.score`."""
        return self._run(self._in_process().score(prompt_id, response))

    def score_batch(self, responses: Iterable[tuple[str, str]]) -> list[Scored]:
        """Return the scores of (prompt id, response) pairs, in their order; see `Rubrics.score_batch`."""
        return self._run(self._in_process().score_batch(list(responses)))

    def close(self) -> None:
        """Close the connections and end the thread; the next call begins anew. Done by itself when the process ends."""
        with self._lock:
            if self._loop is not None and self._process == os.getpid():
                asyncio.run_coroutine_threadsafe(self.rubrics.__aexit__(None, None, None), self._loop).result()
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None  # noqa: S101 - `_in_process` came first
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _in_process(self) -> "Rubrics":
        """Return the rubrics, open in an event loop of this process."""
        with self._lock:
            if self._process != os.getpid():  # a fork has neither the thread nor the connections of its parent
                self.rubrics, self._loop, self._process = self.rubrics.anew(), None, os.getpid()
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="autosr-reward", daemon=True).start()
                asyncio.run_coroutine_threadsafe(self.rubrics.__aenter__(), self._loop).result()
                atexit.register(self.close)
            return self.rubrics
