"""A chat completion request: what a role asks, and the body that an endpoint accepts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from autosr_lib.llm.cache.reply_cache import request_key
from autosr_lib.llm.endpoint.budget import BYTES_PER_TOKEN
from autosr_lib.llm.endpoint.capabilities import Capability, ReplyFormat
from autosr_lib.llm.settings import Role, RoleSettings
from autosr_lib.llm.templates import Messages


@dataclass(frozen=True, slots=True)
class Question:
    """What a role asks a model."""

    role: Role
    prompt_id: str
    """Used for the record of calls only."""
    messages: Messages
    schema: Mapping[str, Any] | None
    """JSON schema of the reply, None for plain text."""
    index: int = 0
    """Number of the vote, attempt or sample; equal questions with different indices get different replies."""
    model: str | None = None
    """The model to ask, by default that of the role."""


class ChatRequest(NamedTuple):
    """A question with the model and the parameters of its role. The names of the fields are part of the cache key."""

    name: str
    model: str
    messages: Messages
    schema: Mapping[str, Any] | None
    parameters: Mapping[str, Any]
    max_tokens: int | None

    @classmethod
    def from_question(cls, question: Question, model: str, settings: RoleSettings) -> "ChatRequest":
        """Return the request for a question.

        Args:
            question: what the role asks.
            model: the model of the role, used if the question names none.
            settings: request parameters of the role.
        """
        parameters: dict[str, Any] = {"temperature": settings.temperature}
        if settings.seed is not None:
            parameters["seed"] = settings.seed + question.index
        if settings.reasoning_effort is not None:
            parameters["reasoning_effort"] = settings.reasoning_effort
        parameters |= settings.extra_body
        return cls(
            question.role.value,
            question.model or model,
            question.messages,
            question.schema,
            parameters,
            settings.max_tokens,
        )

    def key(self, base_url: str, index: int) -> str:
        """Return the cache key of the reply; it does not depend on the capability of the endpoint."""
        return request_key({"version": 1, "base_url": base_url, "index": index, **self._asdict()})

    def with_fault(self, fault: str, *, is_truncated: bool) -> "ChatRequest":
        """Return the request for a second reply, with the fault of the first one appended.

        Args:
            fault: what is wrong with the first reply.
            is_truncated: whether the first reply was truncated; the second may then have twice as many tokens.
        """
        wanted = "." if self.schema is None else ", with one complete JSON object and nothing else."
        # Appended to the user's message: many chat templates reject two messages of one author in a row, and an empty
        # message of the assistant.
        user = (
            f"{self.messages.user}\n\nYour earlier reply to this could not be used: {fault}. "
            f"Answer the whole request again{wanted}"
        )
        if is_truncated:
            user += " It was cut off at the length limit: be brief."
        max_tokens = self.max_tokens * 2 if is_truncated and self.max_tokens is not None else self.max_tokens
        return self._replace(messages=Messages(self.messages.system, user), max_tokens=max_tokens)

    def body(self, capability: Capability) -> dict[str, Any]:
        """Return the body of the HTTP request for an endpoint with this capability.

        >>> request = ChatRequest("judge", "small", Messages("Judge.", "A or B?"), {"type": "object"}, {"seed": 1}, 90)
        >>> request.body(Capability(ReplyFormat.JSON_OBJECT))["response_format"]
        {'type': 'json_object'}
        """
        system, user = self.messages
        body: dict[str, Any] = {"model": self.model, **self.parameters}
        if self.max_tokens is not None:
            body[capability.tokens_field] = self.max_tokens
        if self.schema is None:
            pass
        elif capability.reply_format is ReplyFormat.JSON_SCHEMA:
            json_schema = {"name": self.name, "strict": True, "schema": self.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": json_schema}
        else:
            schema = json.dumps(self.schema, ensure_ascii=False)
            user = f"{user}\n\nReply with one JSON object and nothing else, by this JSON schema:\n{schema}"
            if capability.reply_format is ReplyFormat.JSON_OBJECT:
                body["response_format"] = {"type": "json_object"}
        body["messages"] = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return body

    @property
    def expected_tokens(self) -> int:
        """Return the estimated number of prompt tokens."""
        return sum(len(text.encode()) for text in self.messages) // BYTES_PER_TOKEN + 1
