"""The envelope of a reply, as endpoints send it: often not quite as the standard says."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MALFORMED = 502


class Completion(NamedTuple):
    """What a model answered."""

    text: str
    refusal: str | None = None
    is_cut_off: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None


class Failure(NamedTuple):
    """A request that brought no answer: as an HTTP status, 0 for none at all, and what the endpoint said."""

    status: int
    message: str
    code: str = ""
    retry_after: float | None = None


def completion_of(body: Any) -> Completion | Failure:
    """Return the answer in the body of a response with status 200, or the failure that it tells or is."""
    if isinstance(body, str):
        try:
            body = json.loads(body, strict=False)
        except (ValueError, RecursionError):
            return Failure(MALFORMED, f"a reply that is not JSON: {body[:100]!r}")
    if not isinstance(body, dict):
        return Failure(MALFORMED, f"a reply that is a {type(body).__name__}, not an object")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    if error := body.get("error") or (isinstance(choice, dict) and choice.get("error")):
        return failure_of(error, MALFORMED)
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return Failure(MALFORMED, "a reply without choices" if not choices else "a choice without a message")
    return _completion(message, choice.get("finish_reason"), body.get("usage"))


def _completion(message: Mapping[str, Any], finish: Any, usage: Any) -> Completion:
    refusal = message.get("refusal")
    if finish == "content_filter" and not refusal:
        refusal = "stopped by a content filter"
    counts = usage if isinstance(usage, dict) else {}
    cost = counts.get("cost")
    return Completion(
        text=_text(message.get("content")),
        refusal=str(refusal) if refusal else None,
        is_cut_off=finish == "length",
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
        cost=float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None,
    )


def failure_of(error: Any, status: int, retry_after: float | None = None) -> Failure:
    """Return the failure that an error body tells; `status` if it names none itself."""
    if not isinstance(error, Mapping):
        return Failure(status, str(error)[:500], retry_after=retry_after)
    inner = error.get("error")
    if isinstance(inner, Mapping | str):
        return failure_of(inner, status, retry_after)
    code = error.get("code")
    told = code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600 else status
    message = str(error.get("message") or error.get("detail") or dict(error))
    return Failure(told, message[:500], f"{code or ''} {error.get('type') or ''}".strip(), retry_after)


_NO_MODEL = re.compile(
    r"model_not_found|(unknown|invalid|no such|not a valid) model"
    r"|model\b.{0,120}\b(not found|does not exist|not exist|is not a valid|not available|not served)",
    re.IGNORECASE | re.DOTALL,
)


def is_unknown_model(failure: Failure) -> bool:
    """Return whether the endpoint says that it has no such model."""
    return bool(_NO_MODEL.search(f"{failure.code} {failure.message}"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
