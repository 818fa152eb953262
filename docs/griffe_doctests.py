"""An extension of griffe, which reads docstrings for the reference: examples are rendered as code."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .+(?:\n.+)*", re.MULTILINE)
"""A doctest: from its first prompt to the next blank line."""


class Doctests(griffe.Extension):
    """Puts each doctest of a docstring into a fenced block of code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)
