"""What the readers of all replies share: the result, the error, the JSON object, labels and descriptions of faults.

Descriptions of faults are sent to the model when a request is repeated, so changing their words changes requests.
"""

import re
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from autosr_lib.errors import ReplyError
from autosr_lib.llm.replies.json_text import json_values
from autosr_lib.validation import describe_error, field_path

QUOTED_CHARACTERS = 200
"""Number of characters of a bad reply that an error message quotes."""
MAX_FAULTS = 10
"""Maximum number of faults in a description."""

T = TypeVar("T")
_LABEL = re.compile(r"\s*[\[(*\"']*([A-Za-z]?)\s*(\d{1,4})(?![\d.])")


class ParsedReply(NamedTuple, Generic[T]):
    """The usable content of a reply; `fault` describes the unusable rest, None if there is none."""

    value: T
    fault: str | None = None


class BadReplyError(ReplyError):
    """A reply without usable content; `fault` is the reason, worded so that it can be sent to the model."""

    def __init__(self, fault: str, text: str) -> None:
        self.fault = fault
        super().__init__(f"{fault}; the reply begins {text[:QUOTED_CHARACTERS]!r}")


class StrictReply(BaseModel):
    """Base of the models of replies: strict about types (a bool or string is not a number), extra keys are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def object_with(key: str, text: str) -> dict[str, Any]:
    """Return the last JSON object of a reply that has the key; a model may quote or draft one before its answer.

    Raises:
        BadReplyError: there is no such object.

    >>> object_with("verdict", 'Draft: {"verdict": "B"}. Answer: {"verdict": "A"}')
    {'verdict': 'A'}
    """
    objects = [value for value in json_values(text) if isinstance(value, dict)]
    for candidate in reversed(objects):
        if key in candidate:
            return candidate
    if objects:
        raise BadReplyError(f'the JSON object has no "{key}"', text)
    raise BadReplyError("there is no complete JSON object", text)


def parse_label(name: Any, letter: str) -> str:
    """Return the label that a model meant, or "" if it is not a label with this letter.

    >>> [parse_label(name, "C") for name in ("c2", "C2: is clear", 2, "R2")]
    ['C2', 'C2', 'C2', '']
    """
    match = _LABEL.match(str(name)) if isinstance(name, str | int) and not isinstance(name, bool) else None
    if match is None or match.group(1).upper() not in ("", letter):
        return ""
    return f"{letter}{int(match.group(2))}"


def first_fault(error: ValidationError) -> str:
    """Return the description of the first validation error, with its field."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = field_path(first["loc"])
    return f"{field}: {describe_error(first)}" if field else describe_error(first)


def join_faults(faults: list[str]) -> str | None:
    """Return one description of at most `MAX_FAULTS` faults, None if there are none.

    >>> join_faults(["C1 has no grade", "C2 has no grade"])
    'C1 has no grade; C2 has no grade'
    """
    if not faults:
        return None
    return "; ".join(faults[:MAX_FAULTS]) + ("; …" if len(faults) > MAX_FAULTS else "")
