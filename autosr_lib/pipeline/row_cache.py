"""The in-memory cache of one run: holds what a step has stored, so that the next step need not read it.

All steps of a run share one process, and a cached value equals the stored one. A value that is missing, because another
process stored it or because it did not fit, is read from its table.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

CAPACITY = 64 * 2**20
"""Bytes of Arrow rows that a run may cache; the Python values made from them take about five times as much memory.

A prompt of eight candidates has about 50 KiB of rows after a few generations, and a search state of 180 KiB.
"""


@dataclass
class RowCache:
    """Values by key, up to a total size; a value that does not fit is not kept.

    >>> cache = RowCache(capacity=10)
    >>> cache.put("a", "first", size=7)
    >>> cache.put("b", "too large", size=7)
    >>> cache.get("a"), cache.get("b")
    ('first', None)
    """

    capacity: int = CAPACITY
    """Bytes that are still free."""

    def __post_init__(self) -> None:
        self._entries: dict[Hashable, tuple[Any, int]] = {}

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Keep a value of `size` bytes under `key`, replacing the previous one."""
        self.pop(key)
        if size <= self.capacity:
            self.capacity -= size
            self._entries[key] = value, size

    def get(self, key: Hashable) -> Any:
        """Return the value under `key`, or None."""
        return self._entries.get(key, (None, 0))[0]

    def pop(self, key: Hashable) -> Any:
        """Remove and return the value under `key`, or None."""
        value, size = self._entries.pop(key, (None, 0))
        self.capacity += size
        return value
