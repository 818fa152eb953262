"""Randomness as a function of what it is asked for."""

import hashlib


def unit_draw(*parts: object) -> float:
    """Return a number in the open interval (0, 1), uniform over hashes of the parts."""
    name = "\x1f".join(str(part) for part in parts)
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
