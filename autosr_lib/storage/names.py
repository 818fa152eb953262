"""File names for partition keys: safe on Linux, macOS and Windows, reversible, and never the same for two keys.

Prompt ids are data: they may be `../x`, `CON`, a line break or an emoji. A name keeps `a-z 0-9 _ -` and writes every
other byte as `%xx`. It is lower case throughout, so two names that differ only in case cannot occur.
"""

import hashlib
import re

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
# Windows takes these for devices, whatever follows the first dot.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{digit}" for digit in range(10)), *(f"lpt{digit}" for digit in range(10))]
)
_EMPTY = "%"
_HASH_MARK = "%h"  # `h` is no hex digit, so no escape can look like this
_HASH_DIGITS = 32
_LONGEST = 120
"""Bytes of a name; file systems stop at 255, and a suffix and a temporary name must fit as well."""


def key_to_name(key: str) -> str:
    """Return the file name, without suffix, for a partition key.

    A key whose name would be longer than 120 bytes gets the start of that name and a hash; see `name_to_key`.
    """
    raw = key.encode("utf-8", "surrogatepass")
    if not raw:
        return _EMPTY
    name = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in raw)
    if name[0] == "-" or name in _DEVICES:  # a leading dash reads as an option on a command line
        name = f"%{raw[0]:02x}{name[1:]}"
    if len(name) <= _LONGEST:
        return name
    start = name[: _LONGEST - len(_HASH_MARK) - _HASH_DIGITS]
    start = re.sub(r"%.?$", "", start)  # not in the middle of an escape
    return f"{start}{_HASH_MARK}{hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]}"


def name_to_key(name: str) -> str | None:
    """Return the partition key of a file name, or None for a shortened one: its key stands inside the file.

    Raises:
        ValueError: `key_to_name` never makes this name.
    """
    if name == _EMPTY:
        return ""
    if _HASH_MARK in name:
        return None
    if not re.fullmatch(r"(?:[a-z0-9_-]|%[0-9a-f]{2})+", name):
        raise ValueError(f"{name!r} is not the name of a partition key")
    raw = re.sub(rb"%([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), name.encode())
    return raw.decode("utf-8", "surrogatepass")
