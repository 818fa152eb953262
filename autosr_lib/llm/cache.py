"""Good replies on disk, by the content of the whole request: a run repeated or resumed pays nothing twice.

Plain SQLite, as kept by Python: `diskcache` has had no release since 2023, unpickles what it reads (CVE-2025-69872) and
forgets the oldest beyond a gigabyte. Any other store fits behind `ReplyCache`.
"""

import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from filelock import FileLock

logger = logging.getLogger(__name__)

FILE_NAME = "replies.sqlite"
LOCK_NAME = "replies.lock"
"""Whoever opens the file or moves it aside holds this, so that no process moves what another has just begun."""
LOCK_SECONDS = 2.0
PAUSE_SECONDS = 60.0

T = TypeVar("T")


class CacheInfo(NamedTuple):
    """What a cache holds."""

    place: str
    entries: int
    size_bytes: int


class ReplyCache(Protocol):
    """Keeps the text of good replies; it never raises, since a run can go on without it."""

    def get(self, key: str) -> str | None:
        """Return the reply kept under the key, or None."""

    def put(self, key: str, reply: str) -> None:
        """Keep a good reply; it is on disk when this returns."""

    def info(self) -> CacheInfo:
        """Return what is kept."""

    def clear(self) -> int:
        """Forget all replies and return how many there were."""

    def close(self) -> None:
        """Let go of files and connections; the next use opens them again."""


def request_key(request: Mapping[str, Any]) -> str:
    """Return the name of a request: equal content, equal name."""
    text = json.dumps(request, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class NoCache:
    """Keeps nothing."""

    def get(self, key: str) -> str | None:  # noqa: ARG002 - the protocol's
        """Return None."""
        return None

    def put(self, key: str, reply: str) -> None:
        """Keep nothing."""

    def info(self) -> CacheInfo:
        """Return that nothing is kept."""
        return CacheInfo("off", 0, 0)

    def clear(self) -> int:
        """Return 0."""
        return 0

    def close(self) -> None:
        """Do nothing."""


class SqliteReplyCache:
    """Replies in one SQLite file, shared by threads and processes.

    A file that is no database is moved aside and a new one begun. One that stays locked or cannot be written is left
    alone, and the run goes on without it for a minute. Both are told in the log.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).expanduser()
        self._file = self._folder / FILE_NAME
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._inode = 0
        self._paused_until = float("-inf")

    def get(self, key: str) -> str | None:
        """Return the reply kept under the key, or None."""
        row = self._do(lambda db: db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone())
        return row[0] if row is not None and isinstance(row[0], str) else None

    def put(self, key: str, reply: str) -> None:
        """Keep a good reply; it survives the end of the process when this returns."""
        row = (key, reply, time.time())
        self._do(lambda db: db.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", row))

    def info(self) -> CacheInfo:
        """Return what is kept."""
        if not self._file.exists():
            return CacheInfo(str(self._file), 0, 0)
        row = self._do(lambda db: db.execute("SELECT count(*) FROM replies").fetchone())
        size = sum(part.stat().st_size for part in self._folder.glob(FILE_NAME + "*"))
        return CacheInfo(str(self._file), row[0] if row else 0, size)

    def clear(self) -> int:
        """Forget all replies and return how many there were."""
        if not self._file.exists():
            return 0
        forgotten = self._do(lambda db: db.execute("DELETE FROM replies").rowcount)
        self._do(lambda db: db.execute("VACUUM"))
        return forgotten or 0

    def count_before(self, at: float) -> tuple[int, int]:
        """Return how many replies were kept before a time, and their bytes."""
        if not self._file.exists():
            return 0, 0
        question = "SELECT count(*), coalesce(sum(length(CAST(reply AS BLOB))), 0) FROM replies WHERE at < ?"
        found = self._do(lambda db: db.execute(question, (at,)).fetchone())
        return (found[0], found[1]) if found else (0, 0)

    def forget_before(self, at: float) -> int:
        """Forget the replies that were kept before a time, and return how many there were."""
        if not self._file.exists():
            return 0
        forgotten = self._do(lambda db: db.execute("DELETE FROM replies WHERE at < ?", (at,)).rowcount)
        self._do(lambda db: db.execute("VACUUM"))
        return forgotten or 0

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        with self._lock:
            if time.monotonic() < self._paused_until:
                return None
            try:
                return self._tried(work)
            except (sqlite3.Error, OSError) as error:
                self.close()
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                logger.warning(
                    "reply cache %s cannot be used (%s); going on without it for %g s", self._file, error, PAUSE_SECONDS
                )
                return None

    def _tried(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._opened())
        except sqlite3.DatabaseError as error:
            # Locked, read-only and a full disk are its children; what is left is a file that is no sound database.
            if type(error) is not sqlite3.DatabaseError:
                raise
            self._set_aside(error)
            return work(self._opened())

    def _opened(self) -> sqlite3.Connection:
        # A forked process must not use its parent's connection, nor close it.
        if self._connection is not None and self._process == os.getpid():
            if self._inode == self._inode_on_disk():
                return self._connection
            self.close()  # another process moved the file aside: what is written there, nobody would find
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            return self._newly_opened()

    def _newly_opened(self) -> sqlite3.Connection:
        self._inode = self._inode_on_disk()
        connection = sqlite3.connect(self._file, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing; a power cut may lose the last replies, which are then asked again.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID"
            )
            self._inode = self._inode_on_disk()
        except BaseException:
            connection.close()
            raise
        self._connection, self._process = connection, os.getpid()
        return connection

    def _set_aside(self, error: Exception) -> None:
        with self._alone():
            self.close()
            # Another process may have set the broken file aside already; its new one is not touched.
            if self._inode_on_disk() != self._inode:
                return
            aside = f"{FILE_NAME}.broken-{time.time_ns()}"
            for suffix in ("", "-wal", "-shm"):
                part = self._folder / (FILE_NAME + suffix)
                if part.exists():
                    part.rename(self._folder / (aside + suffix))
        logger.warning("reply cache %s is broken (%s); moved to %s and begun anew", self._file, error, aside)

    def _alone(self) -> FileLock:
        return FileLock(self._folder / LOCK_NAME, timeout=LOCK_SECONDS)

    def _inode_on_disk(self) -> int:
        """Return which file lies there; 0 where there is none."""
        try:
            return self._file.stat().st_ino
        except FileNotFoundError:
            return 0
