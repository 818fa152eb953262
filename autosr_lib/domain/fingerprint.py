"""Content hashes: the names by which the same thing is recognised."""

import hashlib
import json
from typing import Any


def fingerprint(*parts: Any) -> str:
    """Return 16 hex digits that name the JSON-like `parts`; equal parts have equal names.

    Mappings are read in sorted order of their keys, so the order in which they were written does not matter.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
