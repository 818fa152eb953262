"""Content hashes that identify values."""

import hashlib
import json
from typing import Any


def fingerprint(*parts: Any) -> str:
    """Return a hash of JSON-like values as 16 hex digits; equal values have equal fingerprints.

    The order of keys in a mapping does not matter.

    Raises:
        TypeError: a part is not JSON-like.
        ValueError: a part contains NaN or an infinity.

    >>> fingerprint("p1", {"a": 1, "b": 2}) == fingerprint("p1", {"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
