"""The interface of reply caches, and the key of a request."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

PAUSE_SECONDS = 60.0
"""Seconds for which a cache that has failed is not used."""


class CacheInfo(NamedTuple):
    """Location and size of a cache."""

    location: str
    entries: int
    size_bytes: int


class ReplyCache(Protocol):
    """Keeps the text of usable replies. It never raises, because a run can continue without it."""

    def get(self, key: str) -> str | None:
        """Return the cached reply, None if there is none."""

    def put(self, key: str, reply: str) -> None:
        """Store a usable reply; it is durable when this returns."""


class PersistentCache(ReplyCache, Protocol):
    """A cache that outlives the run, and can be inspected and pruned; timestamps are in seconds since the epoch."""

    def info(self) -> CacheInfo:
        """Return the location and the size of the cache."""

    def clear(self) -> int:
        """Delete all replies and return their number."""

    def count_before(self, timestamp: float) -> tuple[int, int]:
        """Return the number of replies stored before this timestamp, and their size in bytes."""

    def delete_before(self, timestamp: float) -> int:
        """Delete the replies stored before this timestamp, and return their number."""


class NoCache:
    """A cache that stores nothing."""

    def get(self, key: str) -> str | None:  # noqa: ARG002 - required by the protocol
        """Return None."""
        return None

    def put(self, key: str, reply: str) -> None:
        """Store nothing."""


def request_key(request: Mapping[str, Any]) -> str:
    """Return the key of a request: a hash of its content, independent of the order of its fields.

    >>> request_key({"model": "small", "seed": 1}) == request_key({"seed": 1, "model": "small"})
    True
    """
    text = json.dumps(request, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
