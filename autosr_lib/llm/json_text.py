"""JSON in what a model wrote: in fences, after thoughts, between prose, with raw control characters, or cut off."""

import json
import re
from collections.abc import Iterator
from typing import Any

from autosr_lib.llm.extraction import without_thinking

# A reply of a few kilobytes is usual. What is longer, or has more brackets that open nothing, is no reply; the limits
# keep the time of reading it bounded.
MAX_CHARACTERS = 400_000
MAX_TRIES = 200


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; under a key that is said twice, differently, all that was said: nobody takes that for an answer."""
    value = dict(pairs)
    if len(value) < len(pairs):
        for key, last in value.items():
            said = [each for name, each in pairs if name == key]
            value[key] = last if all(each == last for each in said) else said
    return value


# `strict=False` lets raw control characters stand in strings, as vLLM writes them.
_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_object)
_OPENING = re.compile(r"[{\[]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"\s*")


def json_values(text: str) -> list[Any]:
    """Return the objects and arrays of a reply that stand outside one another, in their order; none if it has none."""
    text = text[:MAX_CHARACTERS].strip()
    # Whole first: a string in the JSON may speak of `</think>`.
    if (whole := _decoded(text, 0)) is not None and whole[1] == len(text):
        return [whole[0]]
    found = list(_scan(without_thinking(text)))
    if not found and not text.lower().startswith("<think"):
        found = list(_scan(text))
    return found


def cut_off_members(text: str) -> dict[str, Any]:
    """Return the complete members of the outermost object in a reply that was cut off.

    A last number may lack digits, so a member counts only when a comma or the closing bracket follows it.
    """
    text = without_thinking(text[:MAX_CHARACTERS].strip())
    best: dict[str, Any] = {}
    for tries, opening in enumerate(re.finditer(r"\{", text)):
        if best or tries >= MAX_TRIES:
            break
        best = _members(text, opening.end())
    return best


def _scan(text: str) -> Iterator[Any]:
    position, tries = 0, 0
    while tries < MAX_TRIES and (opening := _OPENING.search(text, position)):
        decoded = _decoded(text, opening.start())
        if decoded is None:
            position, tries = opening.end(), tries + 1
        else:
            value, position = decoded
            yield value


def _members(text: str, position: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    while True:
        key = _decoded(text, _after_space(text, position), '"')
        if key is None:
            return members
        position = _after_space(text, key[1])
        if text[position : position + 1] != ":":
            return members
        value = _decoded(text, _after_space(text, position + 1), None)
        if value is None:
            return members
        position = _after_space(text, value[1])
        if text[position : position + 1] not in (",", "}"):
            return members
        members[key[0]] = value[0]
        if text[position] == "}":
            return members
        position += 1


def _decoded(text: str, position: int, opening: str | None = "{[") -> tuple[Any, int] | None:
    """Return the JSON value at `position`, if it begins with one of `opening`, and where it ends."""
    if position >= len(text) or (opening is not None and text[position] not in opening):
        return None
    try:
        value, end = _DECODER.raw_decode(text, position)
    # RecursionError: thousands of nested brackets. ValueError: no JSON, or a number of thousands of digits.
    except (ValueError, RecursionError):
        return None
    return (_without_surrogates(value) if _SURROGATE.search(text, position, end) else value), end


def _without_surrogates(value: Any) -> Any:
    # Half of an escaped pair, as of an emoji that was cut: Python holds it, but nothing can store it.
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
