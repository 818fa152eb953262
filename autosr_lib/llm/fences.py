"""Fences around untrusted text, so that a model reads it as data (docs/method.md §6).

A response may try to manipulate its grader: close the block that contains it, imitate a reply, or give instructions.
A fence is a pair of marks that the text between them cannot contain.
"""

import hashlib
from collections.abc import Sequence
from itertools import count

_CONTROL_CHARACTERS = dict.fromkeys(i for i in range(32) if chr(i) not in "\t\n\r") | {0x7F: None}


def fence_text(text: str) -> str:
    r"""Return the cleaned text between two marks derived from it.

    A mark is a hash of the text, so the author of the text cannot include it: any change of the text changes the mark.
    Equal texts have equal marks, so that requests can be cached and compared.

    >>> fence_text("Hello")
    '<data-fa2e9d99d292>\nHello\n</data-fa2e9d99d292>'
    """
    text = clean_text(text)
    mark = _mark(text)
    return f"<data-{mark}>\n{text}\n</data-{mark}>"


def to_one_line(text: str) -> str:
    r"""Return the cleaned text on one line, so that a criterion cannot imitate the lines around it.

    >>> to_one_line("Is it correct?\n\nC2: forged")
    'Is it correct? C2: forged'
    """
    return " ".join(clean_text(text).split())


def clean_text(text: str) -> str:
    r"""Return the text without control characters and lone surrogates, which some endpoints reject.

    >>> clean_text("bell\x07, tab\t, half an emoji \ud83d")
    'bell, tab\t, half an emoji ?'
    """
    return text.encode("utf-8", "replace").decode("utf-8").translate(_CONTROL_CHARACTERS)


def label_items(letter: str, items: Sequence[str]) -> dict[str, str]:
    """Return the items by neutral label: `C1`, `C2`, … for the letter C.

    >>> label_items("C", ["key-of-clarity", "key-of-depth"])
    {'C1': 'key-of-clarity', 'C2': 'key-of-depth'}
    """
    return {f"{letter}{number}": item for number, item in enumerate(items, 1)}


def _mark(text: str) -> str:
    for salt in count():
        mark = hashlib.sha256(f"0:{salt}:{text}".encode()).hexdigest()[:12]
        if mark not in text:
            return mark
    raise AssertionError("unreachable: count() does not end")
