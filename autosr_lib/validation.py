"""What pydantic finds wrong with a value, in the words of our errors."""

import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

_WORDS = {
    "extra_forbidden": "is no field here; leave it out",
    "missing": "is missing",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "string_too_short": "is empty; give text",
    "too_short": "is empty; give at least one",
}


def finding(detail: ErrorDetails) -> str:
    """Return what is wrong, as the end of a sentence that begins with the name of the value."""
    if (words := _WORDS.get(detail["type"])) is not None:
        return words
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return re.sub(r"^(Input|String) should", "must", message)


def place(parts: Sequence[int | str]) -> str:
    """Return where in a document a value stands: `criteria[0].text`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")
