"""Partition keys of prompts.

Dagster refuses line breaks, tabs and `...` in a key and reads `A...B` as a range; other control characters are
invisible to people. Everything else of a prompt id is kept, so most keys are the ids themselves.
"""

import re
import unicodedata
from urllib.parse import unquote

_ESCAPED_CATEGORIES = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
"""Unicode categories of control characters, line separators, surrogates and unassigned code points."""
_DOTS = re.compile(r"^\.+|\.+$|\.{2,}")


def partition_key(prompt_id: str) -> str:
    r"""Return the partition key of a prompt id; distinct ids have distinct keys.

    >>> partition_key("question 7"), partition_key("a...b\n")
    ('question 7', 'a%2E%2E%2Eb%0A')
    """
    text = _DOTS.sub(lambda dots: "%2E" * len(dots[0]), prompt_id.replace("%", "%25"))
    ends = (0, len(text) - 1)
    return "".join(
        _escape(character)
        if unicodedata.category(character) in _ESCAPED_CATEGORIES or (index in ends and character.isspace())
        else character
        for index, character in enumerate(text)
    )


def prompt_id_of(key: str) -> str:
    r"""Return the prompt id of a partition key.

    >>> prompt_id_of("a%2E%2E%2Eb%0A")
    'a...b\n'
    """
    return unquote(key, errors="surrogatepass")


def _escape(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
