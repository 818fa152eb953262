"""Errors of pydantic in the wording of this project."""

import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

_DESCRIPTIONS = {
    "extra_forbidden": "is not a field here; remove it",
    "missing": "is missing",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "string_too_short": "is empty; give text",
    "too_short": "is empty; give at least one",
}


def describe_error(detail: ErrorDetails) -> str:
    """Return what is wrong with a value, as the rest of a sentence that begins with its name.

    >>> describe_error({"type": "missing", "loc": ("text",), "msg": "Field required", "input": {}})
    'is missing'
    """
    if (description := _DESCRIPTIONS.get(detail["type"])) is not None:
        return description
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return re.sub(r"^(Input|String) should", "must", message)


def field_path(parts: Sequence[int | str]) -> str:
    """Return the path of a value in a document.

    >>> field_path(["criteria", 0, "text"])
    'criteria[0].text'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
