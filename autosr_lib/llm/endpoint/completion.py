"""Chat completions as endpoints return them, which often deviate from the standard."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from autosr_lib.llm.endpoint.failures import Failure, parse_failure

MALFORMED = 502
"""Status of a response that is not a valid completion; as a server error it is retried."""


class Completion(NamedTuple):
    """A model's reply; token counts and cost are None if the endpoint does not report them."""

    text: str
    refusal: str | None = None
    is_truncated: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None


def parse_completion(body: Any) -> Completion | Failure:
    """Return the completion in the body of a response with status 200, or the failure that it reports.

    >>> parse_completion({"choices": [{"message": {"content": "Hello"}, "finish_reason": "length"}]})
    Completion(text='Hello', refusal=None, is_truncated=True, prompt_tokens=None, completion_tokens=None, cost=None)
    >>> parse_completion({"error": {"message": "overloaded", "code": 503}})
    Failure(status=503, message='overloaded', code='503', retry_after=None)
    """
    if isinstance(body, str):
        try:
            body = json.loads(body, strict=False)
        except (ValueError, RecursionError):
            return Failure(MALFORMED, f"the response is not JSON: {body[:100]!r}")
    if not isinstance(body, dict):
        return Failure(MALFORMED, f"the response is a {type(body).__name__}, not an object")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    if error := body.get("error") or (isinstance(choice, dict) and choice.get("error")):
        return parse_failure(error, MALFORMED)
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return Failure(MALFORMED, "the response has no choices" if not choices else "the choice has no message")
    return _completion(message, choice.get("finish_reason"), body.get("usage"))


def _completion(message: Mapping[str, Any], finish_reason: Any, usage: Any) -> Completion:
    refusal = message.get("refusal")
    if finish_reason == "content_filter" and not refusal:
        refusal = "stopped by a content filter"
    counts = usage if isinstance(usage, dict) else {}
    cost = counts.get("cost")
    return Completion(
        text=_text(message.get("content")),
        refusal=str(refusal) if refusal else None,
        is_truncated=finish_reason == "length",
        prompt_tokens=_token_count(counts.get("prompt_tokens")),
        completion_tokens=_token_count(counts.get("completion_tokens")),
        cost=float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None,
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _token_count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
