"""A reply cache on disk, in SQLite.

SQLite comes with Python. `diskcache` has had no release since 2023, unpickles what it reads (CVE-2025-69872), and drops
the oldest entries beyond a gigabyte.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from autosr_lib.llm.cache.reply_cache import PAUSE_SECONDS, CacheInfo

logger = logging.getLogger(__name__)

FILE_NAME = "replies.sqlite"
LOCK_NAME = "replies.lock"
"""Lock file, held while the database is opened or moved aside, so that no process moves a file that another created."""
LOCK_SECONDS = 2.0

T = TypeVar("T")


class SqliteReplyCache:
    """Replies in one SQLite file, shared by threads and processes.

    It never raises. A file that is not a valid database is moved aside and replaced by a new one. If the file stays
    locked or cannot be written, the cache is not used for a minute. It logs a warning in both cases.
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
        """Return the cached reply, None if there is none."""
        row = self._run(lambda db: db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone())
        return row[0] if row is not None and isinstance(row[0], str) else None

    def put(self, key: str, reply: str) -> None:
        """Store a usable reply; it survives the end of the process when this returns."""
        row = (key, reply, time.time())
        self._run(lambda db: db.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", row))

    def info(self) -> CacheInfo:
        """Return the location and the size of the cache."""
        if not self._file.exists():
            return CacheInfo(str(self._file), 0, 0)
        row = self._run(lambda db: db.execute("SELECT count(*) FROM replies").fetchone())
        size = sum(path.stat().st_size for path in self._folder.glob(FILE_NAME + "*"))
        return CacheInfo(str(self._file), row[0] if row else 0, size)

    def clear(self) -> int:
        """Delete all replies and return their number."""
        if not self._file.exists():
            return 0
        deleted = self._run(lambda db: db.execute("DELETE FROM replies").rowcount)
        self._run(lambda db: db.execute("VACUUM"))
        return deleted or 0

    def count_before(self, timestamp: float) -> tuple[int, int]:
        """Return the number of replies stored before this timestamp, and their size in bytes."""
        if not self._file.exists():
            return 0, 0
        query = "SELECT count(*), coalesce(sum(length(CAST(reply AS BLOB))), 0) FROM replies WHERE at < ?"
        row = self._run(lambda db: db.execute(query, (timestamp,)).fetchone())
        return (row[0], row[1]) if row else (0, 0)

    def delete_before(self, timestamp: float) -> int:
        """Delete the replies stored before this timestamp, and return their number."""
        if not self._file.exists():
            return 0
        deleted = self._run(lambda db: db.execute("DELETE FROM replies WHERE at < ?", (timestamp,)).rowcount)
        self._run(lambda db: db.execute("VACUUM"))
        return deleted or 0

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _run(self, operation: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return the result of an operation on the database, None while it is unavailable."""
        with self._lock:
            if time.monotonic() < self._paused_until:
                return None
            try:
                return self._run_or_replace(operation)
            except (sqlite3.Error, OSError) as error:
                self.close()
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                logger.warning(
                    "reply cache %s is unavailable (%s); continuing without it for %g s",
                    self._file,
                    error,
                    PAUSE_SECONDS,
                )
                return None

    def _run_or_replace(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of an operation; if the file is not a valid database, on a new one."""
        try:
            return operation(self._open())
        except sqlite3.DatabaseError as error:
            # A locked or read-only file and a full disk raise subclasses; the class itself means an invalid database.
            if type(error) is not sqlite3.DatabaseError:
                raise
            self._move_aside(error)
            return operation(self._open())

    def _open(self) -> sqlite3.Connection:
        # A forked process must neither use nor close the connection of its parent.
        if self._connection is not None and self._process == os.getpid():
            if self._inode == self._inode_on_disk():
                return self._connection
            # Another process moved the file aside, so that nothing written to it would be found again.
            self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._file_lock():
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._inode = self._inode_on_disk()
        connection = sqlite3.connect(self._file, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing. A power failure may lose the last replies, which are then requested again.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS replies "
                "(key TEXT PRIMARY KEY, reply TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID"
            )
            self._inode = self._inode_on_disk()
        except BaseException:
            connection.close()
            raise
        self._connection, self._process = connection, os.getpid()
        return connection

    def _move_aside(self, error: Exception) -> None:
        with self._file_lock():
            self.close()
            # Another process may have moved the invalid file already; its new file is kept.
            if self._inode_on_disk() != self._inode:
                return
            name = f"{FILE_NAME}.broken-{time.time_ns()}"
            for suffix in ("", "-wal", "-shm"):
                path = self._folder / (FILE_NAME + suffix)
                if path.exists():
                    path.rename(self._folder / (name + suffix))
        logger.warning("reply cache %s is corrupt (%s); moved to %s and replaced by a new one", self._file, error, name)

    def _file_lock(self) -> FileLock:
        return FileLock(self._folder / LOCK_NAME, timeout=LOCK_SECONDS)

    def _inode_on_disk(self) -> int:
        """Return the inode of the file, 0 if it does not exist."""
        try:
            return self._file.stat().st_ino
        except FileNotFoundError:
            return 0
