"""How long to wait before a request is sent again."""

import random
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from autosr_lib.llm.settings import LlmSettings


def backoff(settings: LlmSettings, retry: int, asked_for: float | None) -> float:
    """Return the seconds to wait before retry number `retry`, 0 the first.

    Doubles from the base up to the maximum and draws the jittered share at random; never shorter than what the endpoint
    asked for, which the jitter only adds to, as many calls are told the same moment.
    """
    wait = min(settings.llm_retry_backoff_max, settings.llm_retry_backoff_base * 2.0 ** min(retry, 60))
    drawn = settings.llm_retry_jitter * random.random()
    if asked_for is None:
        return wait * (1 - drawn)
    return asked_for + min(wait, max(asked_for, settings.llm_retry_backoff_base)) * drawn


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the endpoint asks to wait, or None: `Retry-After` as seconds or date, or in milliseconds."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        # A NaN compares as false; an infinite wait is kept, and ends the call at its deadline.
        return seconds if seconds > 0 else None
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - time.time()) or None
