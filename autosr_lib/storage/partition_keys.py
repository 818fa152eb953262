"""Partition keys for prompt ids.

Dagster refuses line breaks, tabs and `...` in a key, and reads `A...B` as a range; people may not see other control
signs. Everything else of an id is kept, so that most keys are the ids themselves.
"""

import re
import unicodedata
from urllib.parse import unquote

_ESCAPED = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}
_DOTS = re.compile(r"^\.+|\.+$|\.{2,}")


def partition_key(prompt_id: str) -> str:
    """Return the partition key of a prompt; no two prompts share one."""
    text = _DOTS.sub(lambda dots: "%2E" * len(dots[0]), prompt_id.replace("%", "%25"))
    ends = (0, len(text) - 1)
    return "".join(
        _escaped(sign) if unicodedata.category(sign) in _ESCAPED or (place in ends and sign.isspace()) else sign
        for place, sign in enumerate(text)
    )


def prompt_id_of(key: str) -> str:
    """Return the prompt id of a partition key."""
    return unquote(key, errors="surrogatepass")


def _escaped(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))
