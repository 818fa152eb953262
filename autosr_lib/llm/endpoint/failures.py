"""Failures of requests: how endpoints report them, and what follows from each."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from autosr_lib.errors import EndpointError
from autosr_lib.llm.settings import LlmSettings

NO_STATUS = 0
"""Status of a failure without an HTTP response: a timeout, or a connection that failed."""

_TRANSIENT_STATUSES = frozenset({NO_STATUS, 408, 409, 425, 429})
_REFUSAL_STATUSES = frozenset({400, 404, 422, 500, 501})
_FATAL_REASONS = {
    401: "it rejects the API key",
    402: "it requires payment",
    403: "the API key has no access to it",
    404: "there is no such address or model",
}
_ABOUT_FORMAT = re.compile(
    r"response_?format|json_?schema|json_?object|json mode|structured|grammar|guided|requested parameters",
    re.IGNORECASE,
)
_ABOUT_LENGTH = re.compile(
    r"context.?(length|window|size)|too (long|large)|exceed.{0,60}(tokens|length)", re.IGNORECASE
)
_ABOUT_KEY = re.compile(
    r"api.?key.{0,40}(invalid|expired|incorrect|not valid)|(invalid|incorrect).{0,20}api.?key", re.IGNORECASE
)
_ABOUT_MODEL = re.compile(
    r"model_not_found|(unknown|invalid|no such|not a valid) model"
    r"|model\b.{0,120}\b(not found|does not exist|not exist|is not a valid|not available|not served)",
    re.IGNORECASE | re.DOTALL,
)


class Failure(NamedTuple):
    """A request without a completion: its HTTP status or `NO_STATUS`, and what the endpoint reported."""

    status: int
    message: str
    code: str = ""
    retry_after: float | None = None

    @property
    def description(self) -> str:
        """Return the failure for an error message."""
        return f"HTTP {self.status}: {self.message}" if self.status else self.message


def parse_failure(error: Any, status: int, retry_after: float | None = None) -> Failure:
    """Return the failure that an error body describes.

    Args:
        error: the body, or its member `error`.
        status: the status of the failure if the body has none.
        retry_after: seconds that the endpoint asks to wait.

    >>> parse_failure({"error": {"message": "overloaded", "code": 503, "type": "server_error"}}, 502)
    Failure(status=503, message='overloaded', code='503 server_error', retry_after=None)
    """
    if not isinstance(error, Mapping):
        return Failure(status, str(error)[:500], retry_after=retry_after)
    inner = error.get("error")
    if isinstance(inner, Mapping | str):
        return parse_failure(inner, status, retry_after)
    code = error.get("code")
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
        status = code
    message = str(error.get("message") or error.get("detail") or dict(error))
    code_and_type = f"{code or ''} {error.get('type') or ''}".strip()
    return Failure(status, message[:500], code_and_type, retry_after)


def is_transient(failure: Failure) -> bool:
    """Return whether the same request may succeed a little later.

    >>> is_transient(Failure(429, "slow down")), is_transient(Failure(400, "bad request"))
    (True, False)
    """
    return failure.status in _TRANSIENT_STATUSES or failure.status >= 500


def is_refusal(failure: Failure) -> bool:
    """Return whether the endpoint refuses a feature that the request uses, so that a simpler request may succeed.

    >>> is_refusal(Failure(400, "response_format is not supported"))
    True
    >>> is_refusal(Failure(400, "maximum context length is 8192 tokens"))
    False
    """
    if failure.status in (400, 422):
        has_other_cause = (
            _ABOUT_LENGTH.search(failure.message) or _ABOUT_KEY.search(failure.message) or is_unknown_model(failure)
        )
        return _is_about_format(failure) or not has_other_cause
    return failure.status in _REFUSAL_STATUSES and _is_about_format(failure)


def is_unknown_model(failure: Failure) -> bool:
    """Return whether the endpoint reports that it does not have the model.

    >>> is_unknown_model(Failure(404, "The model `large` does not exist"))
    True
    """
    return bool(_ABOUT_MODEL.search(f"{failure.code} {failure.message}"))


def fatal_error(failure: Failure, model: str, settings: LlmSettings, *, has_key: bool) -> EndpointError | None:
    """Return the error that ends the run, None if the failure does not end it.

    Its message names the endpoint, the model and the environment variable of the key, but never the key.

    >>> settings = LlmSettings(base_url="http://localhost/v1")
    >>> str(fatal_error(Failure(402, "no credit"), "small", settings, has_key=True)).split(";")[0]
    "http://localhost/v1 rejects model 'small': it requires payment (HTTP 402: no credit)"
    >>> fatal_error(Failure(503, "overloaded"), "small", settings, has_key=True) is None
    True
    """
    if failure.status in _FATAL_REASONS:
        reason = _FATAL_REASONS[failure.status]
    elif failure.status in (400, 422) and is_unknown_model(failure):
        reason = "it has no such model"
    elif failure.status == 400 and _ABOUT_KEY.search(f"{failure.code} {failure.message}"):
        reason = _FATAL_REASONS[401]
    elif "insufficient_quota" in failure.code:
        reason = "the quota of the API key is exhausted"
    else:
        return None
    # Endpoints repeat the key when they reject it, so this message is left out.
    message = "" if failure.status == 401 else f": {failure.message[:200]}"
    variable = f"{settings.api_key_env} {'is set' if has_key else 'is not set'}"
    return EndpointError(
        f"{settings.base_url} rejects model {model!r}: {reason} (HTTP {failure.status}{message}); "
        f"check base_url, the model and the API key ({variable})"
    )


def _is_about_format(failure: Failure) -> bool:
    return bool(_ABOUT_FORMAT.search(failure.message))
