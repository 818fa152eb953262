"""JSON read without losing anything: what a lenient parser would hide stays visible, to be named with its place."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 64
"""Lists and mappings inside each other; more is a mistake or an attack, and breaks recursive readers downstream."""
SHOWN = 40
"""Characters of a value that a message repeats."""


class JsonError(ValueError):
    """Text that is not JSON; says where and why."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        self.problem, self.line, self.column = problem, line, column
        super().__init__(problem)


class RepeatedKeys(dict[str, Any]):
    """A JSON object that says a key twice; it keeps the last values and remembers the names."""

    repeated: tuple[str, ...] = ()


@dataclass(frozen=True)
class HugeNumber:
    """An integer that was not converted, since its digits are too many."""

    digits: int


def parse_json(text: str) -> Any:
    """Return the value of `text`; repeated keys, huge integers, NaN and Infinity are left for `value_faults`."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise JsonError(f"lists and mappings are nested deeper than {MAX_DEPTH}") from None


def value_faults(place: str, value: object, depth: int = 0) -> list[str]:
    """Return what is wrong in `value` and below, whatever it stands for; empty if it can be kept exactly."""
    if depth > MAX_DEPTH:
        return [f"{place}: lists and mappings are nested deeper than {MAX_DEPTH}"]
    if isinstance(value, Mapping):
        return _mapping_faults(place, value, depth)
    if isinstance(value, list | tuple):
        return [fault for i, item in enumerate(value) for fault in value_faults(f"{place}[{i}]", item, depth + 1)]
    problem = _scalar_problem(value)
    return [f"{place}: {problem}"] if problem else []


def _scalar_problem(value: object) -> str:
    """Return what forbids to keep `value`, or "" if nothing does."""
    match value:
        case None | bool():
            problem = ""
        case str():
            problem = (
                "" if _is_well_formed(value) else f"{shown(value)} holds half a character (a surrogate); write it whole"
            )
        case int() | HugeNumber():
            fits = isinstance(value, int) and -(2**63) <= value < 2**63
            problem = "" if fits else f"{shown(value)} does not fit 64 bits; give a smaller one, or text"
        case float():
            problem = "" if math.isfinite(value) else f"{value} is not a finite number; leave it out instead"
        case _:
            problem = f"{shown(value)} is not text, a number, true, false, a list or a mapping; convert it"
    return problem


def shown(value: object) -> str:
    """Return `value` as a message repeats it: one line, short, and printable whatever it is."""
    match value:
        case str():
            text = repr(value) if len(value) <= SHOWN else repr(value[:SHOWN]) + "…"
        case None | bool():
            text = json.dumps(value)
        case int() if value.bit_length() > 64:
            text = f"an integer of {value.bit_length()} bits"
        case int() | float():
            text = repr(value)
        case HugeNumber():
            text = f"an integer of {value.digits} digits"
        case Mapping():
            text = f"a mapping of {len(value)}"
        case list() | tuple():
            text = f"a list of {len(value)}"
        case _:
            text = f"a {type(value).__name__}"
    return text


def one_line(error: Exception) -> str:
    """Return what a foreign library said, as one short printable line."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(error).split()))[:200]


def key_place(place: str, key: object) -> str:
    """Return the place of `key` inside the mapping at `place`."""
    is_plain = isinstance(key, str) and key.isidentifier() and len(key) <= SHOWN
    return f"{place}.{key if is_plain else shown(key)}"


def _mapping_faults(place: str, value: Mapping[Any, Any], depth: int) -> list[str]:
    faults = repeated_key_faults(place, value)
    for key, item in value.items():
        if not isinstance(key, str) or not _is_well_formed(key):
            faults.append(f"{place}: the key {shown(key)} is not well-formed text")
        faults += value_faults(key_place(place, key), item, depth + 1)
    return faults


def repeated_key_faults(place: str, value: object) -> list[str]:
    """Return a fault for each key that the JSON object `value` itself says more than once."""
    if not isinstance(value, RepeatedKeys):
        return []
    return [f"{place}: the key {shown(key)} repeats; keep one of them" for key in value.repeated]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    counts = Counter(key for key, _ in pairs)
    marked = RepeatedKeys(value)
    marked.repeated = tuple(key for key, count in counts.items() if count > 1)
    return marked


def _integer(text: str) -> int | HugeNumber:
    # Python refuses to convert more than 4,300 digits; 20 characters hold every 64-bit integer.
    return int(text) if len(text) <= 20 else HugeNumber(len(text.lstrip("-")))


def _is_well_formed(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
