"""Good replies in Postgres, for workers on several machines.

Measured beside Redis: a look and a store cost under a millisecond in either, next to calls of seconds; but a million
prompts leave more replies than fit into memory, and they are paid for. An object store takes a hundred times as long.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from autosr_lib.errors import SettingsError
from autosr_lib.llm.cache import PAUSE_SECONDS, CacheInfo, SqliteReplyCache

logger = logging.getLogger(__name__)

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg2")
CONNECT_SECONDS = 5
STATEMENT_MILLISECONDS = 5000

T = TypeVar("T")


def open_cache(where: str) -> "SqliteReplyCache | PostgresReplyCache":
    """Return the replies that are kept in a folder, or in the database of an address such as `postgresql://…`.

    Raises:
        SettingsError: the address is of something else, or the driver is not installed.
    """
    if "://" not in where:
        return SqliteReplyCache(where)
    if urlsplit(where).scheme not in SCHEMES:
        raise SettingsError(f"replies cannot be kept in {without_secrets(where)}; allowed: a folder, or postgresql://…")
    return PostgresReplyCache(where)


def without_secrets(address: str) -> str:
    """Return an address as it may be shown: no user, password or query."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class PostgresReplyCache:
    """Replies in a table `autosr_replies`, shared by threads, processes and machines.

    Like any cache it never raises: a database that cannot be used is gone without for a minute, and the log tells.
    """

    def __init__(self, address: str) -> None:
        try:
            import psycopg2 as driver  # noqa: PLC0415 - an extra, and slow to import
        except ImportError as error:
            raise SettingsError("psycopg2 is not installed; allowed: pip install 'autosr[distributed]'") from error
        self._driver = driver
        parts = urlsplit(address)
        self._address = parts._replace(scheme="postgresql").geturl()  # SQLAlchemy's names of drivers are not libpq's
        self._place = without_secrets(self._address)
        self._lock = threading.RLock()
        self._connection: Any = None
        self._process = 0
        self._paused_until = float("-inf")

    def get(self, key: str) -> str | None:
        """Return the reply kept under the key, or None."""
        row = self._do(lambda db: _first(db, "SELECT reply FROM autosr_replies WHERE key = %s", key))
        return None if row is None else str(row[0])

    def put(self, key: str, reply: str) -> None:
        """Keep a good reply; one with a character that Postgres has no place for is asked again instead."""
        if "\0" in reply or any("\ud800" <= character <= "\udfff" for character in reply):
            return
        self._do(
            lambda db: db.execute(
                "INSERT INTO autosr_replies (key, reply) VALUES (%s, %s) "
                "ON CONFLICT (key) DO UPDATE SET reply = excluded.reply, at = now()",
                (key, reply),
            )
        )

    def info(self) -> CacheInfo:
        """Return what is kept."""
        query = "SELECT count(*), pg_total_relation_size('autosr_replies') FROM autosr_replies"
        row = self._do(lambda db: _first(db, query))
        return CacheInfo(self._place, *(row or (0, 0)))

    def clear(self) -> int:
        """Forget all replies and return how many there were."""

        def forget(db: Any) -> int:
            db.execute("DELETE FROM autosr_replies")
            forgotten = int(db.rowcount)
            db.execute("VACUUM autosr_replies")
            return forgotten

        return self._do(forget) or 0

    def count_before(self, at: float) -> tuple[int, int]:
        """Return how many replies were kept before a time, and their bytes."""
        query = "SELECT count(*), coalesce(sum(octet_length(reply)), 0) FROM autosr_replies WHERE at < to_timestamp(%s)"
        found = self._do(lambda db: _first(db, query, at))
        return (int(found[0]), int(found[1])) if found else (0, 0)

    def forget_before(self, at: float) -> int:
        """Forget the replies that were kept before a time, and return how many there were."""

        def forget(db: Any) -> int:
            db.execute("DELETE FROM autosr_replies WHERE at < to_timestamp(%s)", (at,))
            return int(db.rowcount)

        return self._do(forget) or 0

    def close(self) -> None:
        """Let go of the connection; the next use opens another."""
        with self._lock:
            connection, self._connection = self._connection, None
            # A forked process must not say goodbye on its parent's connection.
            if connection is not None and self._process == os.getpid():
                connection.close()

    def _do(self, work: Callable[[Any], T]) -> T | None:
        with self._lock:
            if time.monotonic() < self._paused_until:
                return None
            try:
                try:
                    return self._tried(work)
                except (self._driver.OperationalError, self._driver.InterfaceError):
                    self.close()  # a connection that the server or a proxy has ended is worth a second try
                    return self._tried(work)
            except self._driver.Error as error:
                self.close()
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                reason = " ".join(str(error).split())
                logger.warning(
                    "reply cache %s cannot be used (%s); going on without it for %g s",
                    self._place,
                    reason,
                    PAUSE_SECONDS,
                )
                return None

    def _tried(self, work: Callable[[Any], T]) -> T:
        with self._opened().cursor() as cursor:
            return work(cursor)

    def _opened(self) -> Any:
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        options = f"-c statement_timeout={STATEMENT_MILLISECONDS}"
        connection = self._driver.connect(self._address, connect_timeout=CONNECT_SECONDS, options=options)
        connection.autocommit = True
        with connection.cursor() as cursor:
            # A killed worker loses nothing; a power cut of the database may lose the last replies, asked again then.
            cursor.execute("SET synchronous_commit = off")
            if _first(cursor, "SELECT to_regclass('autosr_replies')") == (None,):
                # Two workers that begin at once: one makes the table, the other waits and finds it.
                cursor.execute("SELECT pg_advisory_lock(hashtext('autosr_replies'))")
                cursor.execute(
                    "CREATE TABLE IF NOT EXISTS autosr_replies "
                    "(key text PRIMARY KEY, reply text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
                )
                cursor.execute("SELECT pg_advisory_unlock(hashtext('autosr_replies'))")
        self._connection, self._process = connection, os.getpid()
        return connection


def _first(cursor: Any, query: str, *values: object) -> tuple[Any, ...] | None:
    cursor.execute(query, values)
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row
