"""A request to a model: what is asked, and the body in which an endpoint wants it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from autosr_lib.llm.budget import BYTES_PER_TOKEN
from autosr_lib.llm.cache import request_key
from autosr_lib.llm.capabilities import Capability, ReplyFormat
from autosr_lib.llm.prompts import Rendered
from autosr_lib.llm.settings import Role, RoleSettings


@dataclass(frozen=True, slots=True)
class Question:
    """What a role asks; `index` is the vote or the attempt, so that the same question can be asked afresh.

    Without a schema the reply is plain text; `model` is asked instead of the role's own.
    """

    role: Role
    prompt_id: str
    messages: Rendered
    schema: Mapping[str, Any] | None
    index: int = 0
    model: str | None = None


class Request(NamedTuple):
    """A question with the model and the parameters that its role's settings give it."""

    name: str
    model: str
    messages: Rendered
    schema: Mapping[str, Any] | None
    parameters: Mapping[str, Any]
    max_tokens: int | None

    @classmethod
    def of(cls, question: Question, model: str, asking: RoleSettings) -> "Request":
        """Return the request that the question becomes."""
        parameters: dict[str, Any] = {"temperature": asking.temperature}
        if asking.seed is not None:
            parameters["seed"] = asking.seed + question.index
        if asking.reasoning_effort is not None:
            parameters["reasoning_effort"] = asking.reasoning_effort
        parameters |= asking.extra_body
        return cls(
            question.role.value,
            question.model or model,
            question.messages,
            question.schema,
            parameters,
            asking.max_tokens,
        )

    def key(self, base_url: str, index: int) -> str:
        """Return the name under which the reply is kept: the whole request, however the endpoint wants it told."""
        return request_key({"version": 1, "base_url": base_url, "index": index, **self._asdict()})

    def again(self, fault: str, *, is_cut_off: bool) -> "Request":
        """Return the request asked once more, with what was wrong with the reply."""
        wanted = "." if self.schema is None else ", with one complete JSON object and nothing else."
        # In the same message: many chat templates refuse two turns of one speaker, and an answer of nothing.
        told = (
            f"{self.messages.user}\n\nYour earlier reply to this could not be used: {fault}. "
            f"Answer the whole request again{wanted}"
        )
        if is_cut_off:
            told += " It was cut off at the length limit: be brief."
        doubled = self.max_tokens * 2 if is_cut_off and self.max_tokens is not None else self.max_tokens
        return self._replace(messages=Rendered(self.messages.system, told), max_tokens=doubled)

    def body(self, capability: Capability) -> dict[str, Any]:
        """Return the body of a chat completion for an endpoint that can do this much."""
        system, user = self.messages
        body: dict[str, Any] = {"model": self.model, **self.parameters}
        if self.max_tokens is not None:
            body[capability.tokens_field] = self.max_tokens
        if self.schema is None:
            pass
        elif capability.reply_format is ReplyFormat.JSON_SCHEMA:
            named = {"name": self.name, "strict": True, "schema": self.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        else:
            schema = json.dumps(self.schema, ensure_ascii=False)
            user = f"{user}\n\nReply with one JSON object and nothing else, by this JSON schema:\n{schema}"
            if capability.reply_format is ReplyFormat.JSON_OBJECT:
                body["response_format"] = {"type": "json_object"}
        body["messages"] = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        return body

    @property
    def expected_tokens(self) -> int:
        """Return about how many tokens the request has."""
        return sum(len(text.encode()) for text in self.messages) // BYTES_PER_TOKEN + 1
