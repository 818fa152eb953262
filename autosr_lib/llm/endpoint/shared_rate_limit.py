"""A limit on requests or tokens per minute that all workers share, kept in Redis.

Each request takes the next free moment of one queue with a single Redis call, and sleeps until that moment. Requests are
served in the order of their calls, and nobody polls. If Redis is unavailable, each process applies the limit by itself.
"""

import asyncio
import hashlib
import logging
import os
import time
import uuid
from typing import Any, NamedTuple

from autosr_lib.errors import SettingsError
from autosr_lib.llm.addresses import without_credentials
from autosr_lib.llm.endpoint.rate_limit import WINDOW_SECONDS, RateLimit, RateWindow, Reservation

logger = logging.getLogger(__name__)

VARIABLE = "AUTOSR_LIMITS"
"""Environment variable with the address of Redis; it is not a setting, because it may contain a password."""
PAUSE_SECONDS = 60.0
SOCKET_SECONDS = 2.0

# `line` lists the reservations with their start times, oldest first; `sum` is the sum of their units. Reservations that
# must leave the window before the new one fits are removed for good, because no later request can start earlier.
_RESERVE = """
local line, state, units = KEYS[1], KEYS[2], KEYS[3]
local maximum, needed, id, window = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local at = math.max(now, tonumber(redis.call('HGET', state, 'last') or '0'))
local sum = tonumber(redis.call('HGET', state, 'sum') or '0')
while sum + needed > maximum do
  local oldest = redis.call('LPOP', line)
  if not oldest then sum = 0 break end
  local started, name = string.match(oldest, '^(%S+) (.+)$')
  sum = sum - tonumber(redis.call('HGET', units, name) or '0')
  redis.call('HDEL', units, name)
  at = math.max(at, tonumber(started) + window)
end
redis.call('RPUSH', line, string.format('%.6f %s', at, id))
redis.call('HSET', units, id, needed)
redis.call('HSET', state, 'last', string.format('%.6f', at), 'sum', sum + needed)
local life = math.ceil(at - now + 2 * window)
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, life) end
return string.format('%.6f', at - now)
"""
_SETTLE = """
local reserved = redis.call('HGET', KEYS[2], ARGV[1])
if not reserved then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('HINCRBYFLOAT', KEYS[1], 'sum', tonumber(ARGV[2]) - tonumber(reserved))
return 1
"""


class SharedReservation(NamedTuple):
    """Units of a `SharedRateWindow`."""

    id: str


class SharedRateWindow:
    """At most `maximum` units in any 60 seconds, over all processes that use the same Redis and name."""

    def __init__(self, name: str, maximum: int, address: str) -> None:
        try:
            import redis  # noqa: PLC0415 - an optional dependency
        except ImportError as error:
            raise SettingsError(
                f"{VARIABLE} is set, but redis is not installed; run: pip install 'autosr[distributed]'"
            ) from error
        self._maximum = maximum
        self._location = without_credentials(address)
        self._error = redis.RedisError
        try:
            self._redis: Any = redis.Redis.from_url(
                address, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
            )
        except ValueError as error:
            raise SettingsError(f"{VARIABLE} is not an address of Redis; expected redis://host:port/0") from error
        self._reserve = self._redis.register_script(_RESERVE)
        self._settle = self._redis.register_script(_SETTLE)
        keys = [f"autosr:limit:{name}:{part}" for part in ("line", "state", "units")]
        self._line, self._state, self._units = keys
        self._local_window = RateWindow(maximum)
        self._paused_until = float("-inf")

    async def reserve(self, units: float) -> SharedReservation | Reservation | None:
        """Wait until `units` fit into the window, and return their reservation."""
        units = min(units, float(self._maximum))
        reservation = SharedReservation(uuid.uuid4().hex)
        keys = [self._line, self._state, self._units]
        arguments: list[float | str] = [self._maximum, units, reservation.id, WINDOW_SECONDS]
        wait = self._try(lambda: float(self._reserve(keys=keys, args=arguments)))
        if wait is None:
            return await self._local_window.reserve(units)
        try:
            if wait > 0:
                await asyncio.sleep(wait)
        except asyncio.CancelledError:
            self.settle(reservation, 0)
            raise
        return reservation

    def settle(self, reservation: SharedReservation | Reservation | None, units: float) -> None:
        """Replace the reserved units by the used ones."""
        if isinstance(reservation, SharedReservation):
            self._try(lambda: self._settle(keys=[self._state, self._units], args=[reservation.id, units]))
        else:
            self._local_window.settle(reservation, units)

    def _try(self, operation: Any) -> Any:
        """Return the result of an operation on Redis, None while Redis is unavailable."""
        if time.monotonic() < self._paused_until:
            return None
        try:
            return operation()
        except self._error as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            logger.warning(
                "rate limit in %s is unavailable (%s); each worker applies the limit by itself for %g s",
                self._location,
                " ".join(str(error).split()),
                PAUSE_SECONDS,
            )
            return None


def open_rate_limit(kind: str, base_url: str, maximum: int | None) -> RateLimit:
    """Return the rate limit of an endpoint: shared by all workers if `AUTOSR_LIMITS` is set, else of this process.

    Args:
        kind: `requests` or `tokens`.
        base_url: address of the endpoint.
        maximum: units per minute, None for no limit.

    Raises:
        SettingsError: `AUTOSR_LIMITS` is not an address of Redis, or redis is not installed.
    """
    address = os.environ.get(VARIABLE)
    if maximum is None or not address:
        return RateWindow(maximum)
    name = f"{hashlib.sha256(base_url.encode()).hexdigest()[:16]}:{kind}"
    return SharedRateWindow(name, maximum, address)
