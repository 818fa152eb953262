"""A JSON parser that loses nothing: what a lenient parser hides is kept and reported with its location."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 64
"""Allowed nesting of lists and mappings. Deeper values are a mistake or an attack, and break recursive readers."""
PREVIEW_LENGTH = 40
"""Characters of a value that a message repeats."""
MESSAGE_LENGTH = 200
"""Characters of another library's error message that our message repeats."""


class JsonError(ValueError):
    """Text that is not JSON.

    Args:
        problem: What is wrong.
        line: The line, from 1; 0 if there is no single position.
        column: The column, from 1.
    """

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        self.problem, self.line, self.column = problem, line, column
        super().__init__(problem)


class RepeatedKeys(dict[str, Any]):
    """A JSON object with repeated keys. It holds the last value of each, and the names of the repeated ones."""

    repeated: tuple[str, ...] = ()


@dataclass(frozen=True)
class HugeNumber:
    """An integer with too many digits to be converted."""

    digits: int


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Repeated keys, huge integers, NaN and infinity are kept; `find_value_faults` reports them.

    Raises:
        JsonError: The text is not JSON, or nested too deeply for the parser.

    >>> parse_json('{"a": 1, "a": 2}').repeated
    ('a',)
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise JsonError(f"lists and mappings are nested deeper than {MAX_DEPTH}") from None


def find_value_faults(location: str, value: object, depth: int = 0) -> list[str]:
    """Return the faults of a value and everything in it; none if it can be stored as JSON without loss.

    Args:
        location: Where the value is, as messages name it.
        value: Any value.
        depth: The number of lists and mappings around it.

    >>> find_value_faults("metadata", {"a": [1, float("nan")]})
    ['metadata.a[1]: nan is not a finite number; leave it out instead']
    """
    if depth > MAX_DEPTH:
        return [f"{location}: lists and mappings are nested deeper than {MAX_DEPTH}"]
    if isinstance(value, Mapping):
        return _find_mapping_faults(location, value, depth)
    if isinstance(value, list | tuple):
        return [
            fault for i, item in enumerate(value) for fault in find_value_faults(f"{location}[{i}]", item, depth + 1)
        ]
    problem = _scalar_problem(value)
    return [f"{location}: {problem}"] if problem else []


def find_repeated_keys(location: str, value: object) -> list[str]:
    """Return a fault for each repeated key of a JSON object, without looking at its values.

    >>> find_repeated_keys("line 1", parse_json('{"a": 1, "a": 2}'))
    ["line 1: the key 'a' repeats; keep one of them"]
    """
    if not isinstance(value, RepeatedKeys):
        return []
    return [f"{location}: the key {preview(key)} repeats; keep one of them" for key in value.repeated]


def preview(value: object) -> str:
    """Return a value as messages show it: one short, printable line.

    >>> preview("text"), preview(None), preview([1, 2]), preview(2**70)
    ("'text'", 'null', 'a list of 2', 'an integer of 71 bits')
    """
    match value:
        case str():
            text = repr(value) if len(value) <= PREVIEW_LENGTH else repr(value[:PREVIEW_LENGTH]) + "…"
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


def printable_message(error: Exception) -> str:
    r"""Return the message of another library's error as one short, printable line.

    >>> printable_message(ValueError("bad\n  value \x00"))
    'bad value ?'
    """
    line = " ".join(str(error).split())
    return "".join(character if character.isprintable() else "?" for character in line)[:MESSAGE_LENGTH]


def key_location(location: str, key: object) -> str:
    """Return the location of a key in the mapping at `location`.

    >>> key_location("metadata", "note"), key_location("metadata", "two words")
    ('metadata.note', "metadata.'two words'")
    """
    is_plain = isinstance(key, str) and key.isidentifier() and len(key) <= PREVIEW_LENGTH
    return f"{location}.{key if is_plain else preview(key)}"


def _find_mapping_faults(location: str, value: Mapping[Any, Any], depth: int) -> list[str]:
    faults = find_repeated_keys(location, value)
    for key, item in value.items():
        if not isinstance(key, str) or not _is_well_formed(key):
            faults.append(f"{location}: the key {preview(key)} is not well-formed text")
        faults += find_value_faults(key_location(location, key), item, depth + 1)
    return faults


def _scalar_problem(value: object) -> str:
    """Return why JSON cannot hold `value` without loss, or "" if it can."""
    match value:
        case None | bool():
            problem = ""
        case str():
            problem = (
                ""
                if _is_well_formed(value)
                else f"{preview(value)} contains half of a surrogate pair; write the complete character"
            )
        case int() | HugeNumber():
            fits = isinstance(value, int) and -(2**63) <= value < 2**63
            problem = "" if fits else f"{preview(value)} does not fit 64 bits; give a smaller one, or text"
        case float():
            problem = "" if math.isfinite(value) else f"{value} is not a finite number; leave it out instead"
        case _:
            problem = f"{preview(value)} is not text, a number, true, false, a list or a mapping; convert it"
    return problem


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    counts = Counter(key for key, _ in pairs)
    with_repeated = RepeatedKeys(value)
    with_repeated.repeated = tuple(key for key, count in counts.items() if count > 1)
    return with_repeated


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
