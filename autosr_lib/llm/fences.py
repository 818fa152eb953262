"""Text from outside, shown to a model as data under neutral labels (docs/method.md §6).

A response may try to talk to its grader: close the block it stands in, imitate a reply, or give orders. Each text is
put between two marks that it cannot contain, so that whatever it says stays inside.
"""

import hashlib
from collections.abc import Sequence
from itertools import count

_CONTROL = dict.fromkeys(i for i in range(32) if chr(i) not in "\t\n\r") | {0x7F: None}


def fenced(text: str, seed: int = 0) -> str:
    """Return the text between two marks derived from it.

    The mark is a hash of the text itself: whoever writes the text cannot know it beforehand, as writing it in changes
    it; and the same text always has the same mark, so that requests can be kept and compared.
    """
    text = cleaned(text)
    mark = _mark(text, seed)
    return f"<data-{mark}>\n{text}\n</data-{mark}>"


def one_line(text: str) -> str:
    """Return the text on one line, so that a criterion cannot imitate the lines around it."""
    return " ".join(cleaned(text).split())


def cleaned(text: str) -> str:
    """Return the text without control characters and lone surrogates, which some endpoints refuse or cannot be sent."""
    return text.encode("utf-8", "replace").decode("utf-8").translate(_CONTROL)


def by_label(letter: str, things: Sequence[str]) -> dict[str, str]:
    """Return what each of the neutral labels `C1`, `C2`, … stands for."""
    return {f"{letter}{number}": thing for number, thing in enumerate(things, 1)}


def _mark(text: str, seed: int) -> str:
    for salt in count():
        mark = hashlib.sha256(f"{seed}:{salt}:{text}".encode()).hexdigest()[:12]
        if mark not in text:
            return mark
    raise AssertionError("unreachable: count() does not end")
