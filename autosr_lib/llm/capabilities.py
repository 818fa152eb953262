"""What an endpoint can do: found out once for each (address, model), and remembered for the run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

_ABOUT_FORMAT = re.compile(
    r"response_?format|json_?schema|json_?object|json mode|structured|grammar|guided|requested parameters",
    re.IGNORECASE,
)
_ABOUT_TOKENS = re.compile(r"max_completion_tokens", re.IGNORECASE)


class ReplyFormat(StrEnum):
    """Ways to ask for JSON, the most binding first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"

    @property
    def weaker(self) -> "ReplyFormat | None":
        """Return the next less binding way, None after the last."""
        return {ReplyFormat.JSON_SCHEMA: ReplyFormat.JSON_OBJECT, ReplyFormat.JSON_OBJECT: ReplyFormat.TEXT}.get(self)


@dataclass(frozen=True)
class Capability:
    """What is known of one model at one address."""

    reply_format: ReplyFormat = ReplyFormat.JSON_SCHEMA
    tokens_field: str = "max_tokens"

    def after_refusal(self, message: str, body: Mapping[str, Any]) -> "Capability | None":
        """Return what to try after a request was refused with this message; None when nothing is left to try."""
        if self.tokens_field in body and self.tokens_field == "max_tokens" and _ABOUT_TOKENS.search(message):
            return replace(self, tokens_field="max_completion_tokens")
        # Without it in the body, it was not what was refused.
        weaker = self.reply_format.weaker if "response_format" in body else None
        return None if weaker is None else replace(self, reply_format=weaker)


class Capabilities:
    """What is known of every model asked."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Capability] = {}

    def of(self, base_url: str, model: str) -> Capability:
        """Return what is known; at first, that everything can be asked for."""
        return self._known.get((base_url, model), Capability())

    def learn(self, base_url: str, model: str, found: Capability) -> None:
        """Remember what worked after something else was refused."""
        self._known[base_url, model] = found


def is_about_format(message: str) -> bool:
    """Return whether a refusal speaks of structured output, so that a less binding way may do."""
    return bool(_ABOUT_FORMAT.search(message))
