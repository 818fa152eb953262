"""JSON in a model's reply: in code fences, after thinking, within prose, with raw control characters, or truncated."""

import json
import re
from collections.abc import Iterator
from typing import Any

from autosr_lib.llm.extraction import strip_thinking

# Most replies have a few kilobytes. The limits bound the time spent on a very long reply, and on a reply with many
# brackets that do not begin JSON.
MAX_CHARACTERS = 400_000
MAX_TRIES = 200


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; the values of a key that occurs twice with different values become a list.

    No schema accepts a list for these keys, so validation rejects the ambiguous value.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        for key, last in members.items():
            values = [value for name, value in pairs if name == key]
            members[key] = last if all(value == last for value in values) else values
    return members


# `strict=False` allows raw control characters in strings, which vLLM writes.
_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_object_of)
_OPENING_BRACKET = re.compile(r"[{\[]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_WHITESPACE = re.compile(r"\s*")


def json_values(text: str) -> list[Any]:
    r"""Return the outermost JSON objects and arrays of a reply in their order.

    Thinking is ignored, unless the only JSON is in it and the reply does not begin with it.

    >>> json_values('Sure:\n```json\n{"verdict": "A"}\n```')
    [{'verdict': 'A'}]
    >>> json_values('<think>{"verdict": "B"}?</think>{"verdict": "A"}')
    [{'verdict': 'A'}]
    """
    text = text[:MAX_CHARACTERS].strip()
    # The complete text is tried first, because a JSON string may contain `</think>`.
    if (decoded := _decode_at(text, 0)) is not None and decoded[1] == len(text):
        return [decoded[0]]
    values = list(_iterate_values(strip_thinking(text)))
    if not values and not text.lower().startswith("<think"):
        values = list(_iterate_values(text))
    return values


def truncated_members(text: str) -> dict[str, Any]:
    """Return the complete members of the outermost object of a truncated reply.

    A member counts only if a comma or the closing bracket follows it, because digits of a last number may be missing.

    >>> truncated_members('{"C1": 4, "C2": 2')
    {'C1': 4}
    """
    text = strip_thinking(text[:MAX_CHARACTERS].strip())
    for tries, opening in enumerate(re.finditer(r"\{", text)):
        if tries >= MAX_TRIES:
            break
        if members := _members_from(text, opening.end()):
            return members
    return {}


def _iterate_values(text: str) -> Iterator[Any]:
    position, tries = 0, 0
    while tries < MAX_TRIES and (opening := _OPENING_BRACKET.search(text, position)):
        decoded = _decode_at(text, opening.start())
        if decoded is None:
            position, tries = opening.end(), tries + 1
        else:
            value, position = decoded
            yield value


def _members_from(text: str, position: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    while True:
        key = _decode_at(text, _skip_whitespace(text, position), '"')
        if key is None:
            return members
        position = _skip_whitespace(text, key[1])
        if text[position : position + 1] != ":":
            return members
        value = _decode_at(text, _skip_whitespace(text, position + 1), None)
        if value is None:
            return members
        position = _skip_whitespace(text, value[1])
        if text[position : position + 1] not in (",", "}"):
            return members
        members[key[0]] = value[0]
        if text[position] == "}":
            return members
        position += 1


def _decode_at(text: str, position: int, openings: str | None = "{[") -> tuple[Any, int] | None:
    """Return the JSON value at `position` and its end, or None if it is invalid or does not begin with an opening."""
    if position >= len(text) or (openings is not None and text[position] not in openings):
        return None
    try:
        value, end = _DECODER.raw_decode(text, position)
    # RecursionError: thousands of nested brackets. ValueError: invalid JSON, or a number with thousands of digits.
    except (ValueError, RecursionError):
        return None
    return (_replace_surrogates(value) if _SURROGATE_ESCAPE.search(text, position, end) else value), end


def _replace_surrogates(value: Any) -> Any:
    # A lone surrogate, such as half of an emoji that was cut, is valid in Python but cannot be stored as UTF-8.
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _skip_whitespace(text: str, position: int) -> int:
    match = _WHITESPACE.match(text, position)
    return match.end() if match else position
