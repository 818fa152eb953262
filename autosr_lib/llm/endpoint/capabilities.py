"""Capabilities of endpoints: detected once per address and model, and remembered for the run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

_MAX_COMPLETION_TOKENS = re.compile(r"max_completion_tokens", re.IGNORECASE)


class ReplyFormat(StrEnum):
    """Ways to request JSON, the strictest first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"

    @property
    def weaker(self) -> "ReplyFormat | None":
        """Return the next less strict way, None after the last.

        >>> ReplyFormat.JSON_SCHEMA.weaker, ReplyFormat.TEXT.weaker
        (<ReplyFormat.JSON_OBJECT: 'json_object'>, None)
        """
        return {ReplyFormat.JSON_SCHEMA: ReplyFormat.JSON_OBJECT, ReplyFormat.JSON_OBJECT: ReplyFormat.TEXT}.get(self)


@dataclass(frozen=True)
class Capability:
    """What a model at an address supports; by default everything."""

    reply_format: ReplyFormat = ReplyFormat.JSON_SCHEMA
    tokens_field: str = "max_tokens"

    def after_refusal(self, message: str, body: Mapping[str, Any]) -> "Capability | None":
        """Return the capability to try after a refusal, None if nothing is left to try.

        Args:
            message: the error message of the endpoint.
            body: the body of the refused request.

        >>> Capability().after_refusal("json_schema is not supported", {"response_format": {}})
        Capability(reply_format=<ReplyFormat.JSON_OBJECT: 'json_object'>, tokens_field='max_tokens')
        """
        if "max_tokens" in body and self.tokens_field == "max_tokens" and _MAX_COMPLETION_TOKENS.search(message):
            return replace(self, tokens_field="max_completion_tokens")
        # A body without a response format was refused for another reason.
        weaker = self.reply_format.weaker if "response_format" in body else None
        return None if weaker is None else replace(self, reply_format=weaker)


class Capabilities:
    """The detected capabilities of all models."""

    def __init__(self) -> None:
        self._detected: dict[tuple[str, str], Capability] = {}

    def get(self, base_url: str, model: str) -> Capability:
        """Return the detected capability of a model; before its first request, the default."""
        return self._detected.get((base_url, model), Capability())

    def set(self, base_url: str, model: str, capability: Capability) -> None:
        """Remember the capability of a model."""
        self._detected[base_url, model] = capability
