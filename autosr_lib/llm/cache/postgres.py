"""A reply cache in Postgres, for workers on several machines.

Postgres and Redis both take less than a millisecond per read or write, next to calls of seconds. But the replies of a
million prompts are larger than memory, and they are paid for. An object store takes a hundred times as long.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from autosr_lib.errors import SettingsError
from autosr_lib.llm.addresses import without_credentials
from autosr_lib.llm.cache.reply_cache import PAUSE_SECONDS, CacheInfo

logger = logging.getLogger(__name__)

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg2")
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 5000

T = TypeVar("T")


class PostgresReplyCache:
    """Replies in the table `autosr_replies`, shared by threads, processes and machines.

    It never raises: if the database fails, the cache logs a warning and is not used for a minute.
    """

    def __init__(self, address: str) -> None:
        try:
            import psycopg2 as driver  # noqa: PLC0415 - an optional dependency, and slow to import
        except ImportError as error:
            raise SettingsError("psycopg2 is not installed; run: pip install 'autosr[distributed]'") from error
        self._driver = driver
        # libpq does not know SQLAlchemy's names of drivers in the scheme.
        self._address = urlsplit(address)._replace(scheme="postgresql").geturl()
        self._location = without_credentials(self._address)
        self._lock = threading.RLock()
        self._connection: Any = None
        self._process = 0
        self._paused_until = float("-inf")

    def get(self, key: str) -> str | None:
        """Return the cached reply, None if there is none."""
        row = self._run(lambda cursor: _first_row(cursor, "SELECT reply FROM autosr_replies WHERE key = %s", key))
        return None if row is None else str(row[0])

    def put(self, key: str, reply: str) -> None:
        """Store a usable reply, unless it contains a character that Postgres cannot store."""
        if "\0" in reply or any("\ud800" <= character <= "\udfff" for character in reply):
            return
        self._run(
            lambda cursor: cursor.execute(
                "INSERT INTO autosr_replies (key, reply) VALUES (%s, %s) "
                "ON CONFLICT (key) DO UPDATE SET reply = excluded.reply, at = now()",
                (key, reply),
            )
        )

    def info(self) -> CacheInfo:
        """Return the location and the size of the cache."""
        query = "SELECT count(*), pg_total_relation_size('autosr_replies') FROM autosr_replies"
        row = self._run(lambda cursor: _first_row(cursor, query))
        return CacheInfo(self._location, *(row or (0, 0)))

    def clear(self) -> int:
        """Delete all replies and return their number."""

        def delete(cursor: Any) -> int:
            cursor.execute("DELETE FROM autosr_replies")
            deleted = int(cursor.rowcount)
            cursor.execute("VACUUM autosr_replies")
            return deleted

        return self._run(delete) or 0

    def count_before(self, timestamp: float) -> tuple[int, int]:
        """Return the number of replies stored before this timestamp, and their size in bytes."""
        query = "SELECT count(*), coalesce(sum(octet_length(reply)), 0) FROM autosr_replies WHERE at < to_timestamp(%s)"
        row = self._run(lambda cursor: _first_row(cursor, query, timestamp))
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def delete_before(self, timestamp: float) -> int:
        """Delete the replies stored before this timestamp, and return their number."""

        def delete(cursor: Any) -> int:
            cursor.execute("DELETE FROM autosr_replies WHERE at < to_timestamp(%s)", (timestamp,))
            return int(cursor.rowcount)

        return self._run(delete) or 0

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._lock:
            connection, self._connection = self._connection, None
            # A forked process must not close the connection of its parent.
            if connection is not None and self._process == os.getpid():
                connection.close()

    def _run(self, operation: Callable[[Any], T]) -> T | None:
        """Return the result of an operation on a cursor, None while the database is unavailable."""
        with self._lock:
            if time.monotonic() < self._paused_until:
                return None
            try:
                try:
                    return self._run_once(operation)
                except (self._driver.OperationalError, self._driver.InterfaceError):
                    # The server or a proxy may have closed the connection: try once more with a new one.
                    self.close()
                    return self._run_once(operation)
            except self._driver.Error as error:
                self.close()
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                logger.warning(
                    "reply cache %s is unavailable (%s); continuing without it for %g s",
                    self._location,
                    " ".join(str(error).split()),
                    PAUSE_SECONDS,
                )
                return None

    def _run_once(self, operation: Callable[[Any], T]) -> T:
        with self._open().cursor() as cursor:
            return operation(cursor)

    def _open(self) -> Any:
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        options = f"-c statement_timeout={STATEMENT_MILLISECONDS}"
        connection = self._driver.connect(self._address, connect_timeout=CONNECT_SECONDS, options=options)
        connection.autocommit = True
        with connection.cursor() as cursor:
            # A killed worker loses nothing. A power failure of the database may lose the last replies, which are then
            # requested again.
            cursor.execute("SET synchronous_commit = off")
            if _first_row(cursor, "SELECT to_regclass('autosr_replies')") == (None,):
                # If two workers start at once, one creates the table, and the other waits for it.
                cursor.execute("SELECT pg_advisory_lock(hashtext('autosr_replies'))")
                cursor.execute(
                    "CREATE TABLE IF NOT EXISTS autosr_replies "
                    "(key text PRIMARY KEY, reply text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
                )
                cursor.execute("SELECT pg_advisory_unlock(hashtext('autosr_replies'))")
        self._connection, self._process = connection, os.getpid()
        return connection


def _first_row(cursor: Any, query: str, *values: object) -> tuple[Any, ...] | None:
    cursor.execute(query, values)
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row
