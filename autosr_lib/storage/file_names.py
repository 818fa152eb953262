"""File names for partition keys: valid on Linux, macOS and Windows, reversible, and distinct for distinct keys.

Prompt ids are data: they may be `../x`, `CON`, a line break or an emoji. A file name keeps `a-z 0-9 _ -` and writes
every other byte as `%xx`. Names are all lower case, so two names never differ in case alone.
"""

import hashlib
import re

_UNESCAPED = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
# Windows reserves these names for devices, with or without a suffix.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{digit}" for digit in range(10)), *(f"lpt{digit}" for digit in range(10))]
)
_EMPTY = "%"
_HASH_MARK = "%h"  # `h` is not a hex digit, so no escape looks like this
_HASH_DIGITS = 32
_LONGEST = 120
"""Bytes of a file name. File systems allow 255; a suffix must fit as well."""


def key_to_file_name(key: str) -> str:
    """Return the file name, without suffix, of a partition key.

    If the name would be longer than 120 bytes, it is cut and a hash of the key is appended; see `file_name_to_key`.

    >>> key_to_file_name("p-1"), key_to_file_name("../A b"), key_to_file_name("con")
    ('p-1', '%2e%2e%2f%41%20b', '%63on')
    """
    raw = key.encode("utf-8", "surrogatepass")
    if not raw:
        return _EMPTY
    name = "".join(chr(byte) if byte in _UNESCAPED else f"%{byte:02x}" for byte in raw)
    if name[0] == "-" or name in _DEVICES:  # a leading dash reads as an option on a command line
        name = f"%{raw[0]:02x}{name[1:]}"
    if len(name) <= _LONGEST:
        return name
    start = name[: _LONGEST - len(_HASH_MARK) - _HASH_DIGITS]
    start = re.sub(r"%.?$", "", start)  # do not end in the middle of an escape
    return f"{start}{_HASH_MARK}{hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]}"


def file_name_to_key(name: str) -> str | None:
    """Return the partition key of a file name, or None if the name is shortened: the file itself then holds the key.

    Raises:
        ValueError: `key_to_file_name` never returns this name.

    >>> file_name_to_key("%2e%2e%2f%41%20b")
    '../A b'
    """
    if name == _EMPTY:
        return ""
    if _HASH_MARK in name:
        return None
    if not re.fullmatch(r"(?:[a-z0-9_-]|%[0-9a-f]{2})+", name):
        raise ValueError(f"{name!r} is not the file name of a partition key")
    raw = re.sub(rb"%([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), name.encode())
    return raw.decode("utf-8", "surrogatepass")
