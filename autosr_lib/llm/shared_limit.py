"""A limit on what all workers together send in a minute, kept in Redis.

Every request takes the next free moment from one line that all stand in, and sleeps until then: one short exchange with
Redis a request, nobody looks again and again, and who came first goes first. Without Redis the limit is this process's
own, as before.
"""

import asyncio
import hashlib
import logging
import os
import time
import uuid
from typing import Any, NamedTuple, Protocol

from autosr_lib.errors import SettingsError
from autosr_lib.llm.limits import WINDOW_SECONDS, RateWindow
from autosr_lib.llm.shared_cache import without_secrets

logger = logging.getLogger(__name__)

VARIABLE = "AUTOSR_LIMITS"
"""Environment variable with the address of Redis; it may hold a password, so it is no setting."""
PAUSE_SECONDS = 60.0
SOCKET_SECONDS = 2.0

# The line holds who was let in and when, oldest first; `sum` is what its units add up to. Those that have to leave the
# window before the new one fits are taken off for good: whoever comes later starts no earlier.
_ENTER = """
local line, state, units = KEYS[1], KEYS[2], KEYS[3]
local most, asked, id, window = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local at = math.max(now, tonumber(redis.call('HGET', state, 'last') or '0'))
local sum = tonumber(redis.call('HGET', state, 'sum') or '0')
while sum + asked > most do
  local oldest = redis.call('LPOP', line)
  if not oldest then sum = 0 break end
  local started, name = string.match(oldest, '^(%S+) (.+)$')
  sum = sum - tonumber(redis.call('HGET', units, name) or '0')
  redis.call('HDEL', units, name)
  at = math.max(at, tonumber(started) + window)
end
redis.call('RPUSH', line, string.format('%.6f %s', at, id))
redis.call('HSET', units, id, asked)
redis.call('HSET', state, 'last', string.format('%.6f', at), 'sum', sum + asked)
local life = math.ceil(at - now + 2 * window)
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, life) end
return string.format('%.6f', at - now)
"""
_CORRECT = """
local known = redis.call('HGET', KEYS[2], ARGV[1])
if not known then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('HINCRBYFLOAT', KEYS[1], 'sum', tonumber(ARGV[2]) - tonumber(known))
return 1
"""


class SharedEntry(NamedTuple):
    """Units entered in the shared window."""

    id: str


class SharedRateWindow:
    """At most so many units in any 60 seconds, over all processes that name the same Redis and limit."""

    def __init__(self, name: str, most: int, address: str) -> None:
        try:
            import redis  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise SettingsError(
                f"{VARIABLE} is set, but redis is not installed; allowed: pip install 'autosr[distributed]'"
            ) from error
        self._most = most
        self._place = without_secrets(address)
        self._error = redis.RedisError
        try:
            self._redis: Any = redis.Redis.from_url(
                address, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
            )
        except ValueError as error:
            raise SettingsError(f"{VARIABLE} is no address of Redis; allowed: redis://host:port/0") from error
        self._enter, self._correct = self._redis.register_script(_ENTER), self._redis.register_script(_CORRECT)
        keys = [f"autosr:limit:{name}:{part}" for part in ("line", "state", "units")]
        self._line, self._state, self._units = keys
        self._own = RateWindow(most)
        self._paused_until = float("-inf")

    async def spend(self, units: float) -> SharedEntry | list[float] | None:
        """Wait until `units` fit into the window and enter them; return the entry, for `correct`."""
        units = min(units, float(self._most))
        entry = SharedEntry(uuid.uuid4().hex)
        keys = [self._line, self._state, self._units]
        wait = self._do(lambda: float(self._enter(keys=keys, args=[self._most, units, entry.id, WINDOW_SECONDS])))
        if wait is None:
            return await self._own.spend(units)
        try:
            if wait > 0:
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            self.correct(entry, 0)
            raise
        return entry

    def correct(self, entry: SharedEntry | list[float] | None, units: float) -> None:
        """Put what was used in place of what was expected."""
        if isinstance(entry, SharedEntry):
            self._do(lambda: self._correct(keys=[self._state, self._units], args=[entry.id, units]))
        else:
            self._own.correct(entry, units)

    def _do(self, work: Any) -> Any:
        if time.monotonic() < self._paused_until:
            return None
        try:
            return work()
        except self._error as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            logger.warning(
                "the limit in %s cannot be used (%s); each worker holds it by itself for %g s",
                self._place,
                " ".join(str(error).split()),
                PAUSE_SECONDS,
            )
            return None


class Window(Protocol):
    """A limit on the units of a minute; what `spend` returns is for `correct` alone."""

    async def spend(self, units: float) -> Any:
        """Wait until `units` fit into the window and enter them."""

    def correct(self, entry: Any, units: float) -> None:
        """Put what was used in place of what was expected."""


def rate_window(what: str, base_url: str, most: int | None) -> Window:
    """Return the limit on `what` of an endpoint: that of all workers where `AUTOSR_LIMITS` names a Redis."""
    address = os.environ.get(VARIABLE)
    if most is None or not address:
        return RateWindow(most)
    name = f"{hashlib.sha256(base_url.encode()).hexdigest()[:16]}:{what}"
    return SharedRateWindow(name, most, address)
