"""Waits between a failed request and its retry."""

import random
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from autosr_lib.llm.settings import LlmSettings


def backoff_seconds(settings: LlmSettings, retry: int, retry_after: float | None) -> float:
    """Return the seconds to wait before a retry.

    The wait doubles with each retry up to the maximum, and its jittered share is random. If the endpoint asks for a
    wait, the jitter is added to it, because the endpoint asks many calls to return at the same moment.

    Args:
        settings: base, maximum and jitter of the backoff.
        retry: number of the retry, 0 for the first.
        retry_after: seconds that the endpoint asks to wait, if any.

    >>> settings = LlmSettings(llm_retry_jitter=0)
    >>> [backoff_seconds(settings, retry, None) for retry in (0, 1, 2, 10)]
    [1.0, 2.0, 4.0, 60.0]
    """
    wait = min(settings.llm_retry_backoff_max, settings.llm_retry_backoff_base * 2.0 ** min(retry, 60))
    jitter = settings.llm_retry_jitter * random.random()
    if retry_after is None:
        return wait * (1 - jitter)
    return retry_after + min(wait, max(retry_after, settings.llm_retry_backoff_base)) * jitter


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the endpoint asks to wait, None if it does not.

    Reads `retry-after-ms`, and `retry-after` as seconds or as a date.

    >>> parse_retry_after({"retry-after": "20"}), parse_retry_after({"retry-after-ms": "500"}), parse_retry_after({})
    (20.0, 0.5, None)
    """
    for name, units_per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / units_per_second
        except ValueError:
            continue
        # The comparison is false for NaN. An infinite wait is kept; it ends the call at its deadline.
        return seconds if seconds > 0 else None
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - time.time()) or None
