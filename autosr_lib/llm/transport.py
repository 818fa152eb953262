"""One request over the network, through `openai` with its aiohttp transport; and what each failure means.

The session of a transport lives in one event loop. What is learnt of an endpoint lives in the client.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import openai

from autosr_lib.errors import EndpointError
from autosr_lib.llm.capabilities import is_about_format
from autosr_lib.llm.completion import Completion, Failure, completion_of, failure_of, is_unknown_model
from autosr_lib.llm.retrying import retry_after
from autosr_lib.llm.settings import LlmSettings

NO_ANSWER = 0
_PASSING = frozenset({NO_ANSWER, 408, 409, 425, 429})
_REFUSED = frozenset({400, 404, 422, 500, 501})
_TOO_LONG = re.compile(r"context.?(length|window|size)|too (long|large)|exceed.{0,60}(tokens|length)", re.IGNORECASE)
_BAD_KEY = re.compile(
    r"api.?key.{0,40}(invalid|expired|incorrect|not valid)|(invalid|incorrect).{0,20}api.?key", re.IGNORECASE
)
_FATAL = {
    401: "it does not accept the key",
    402: "it wants to be paid",
    403: "the key may not use it",
    404: "there is no such address or model",
}


class Transport:
    """A session with the endpoint, in one event loop."""

    def __init__(self, settings: LlmSettings, api_key: str | None) -> None:
        self._settings = settings
        self._key = api_key
        # OpenAI's own variables (OPENAI_ORG_ID, …) may be set for something else; they are no business of this endpoint.
        headers: dict[str, Any] = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        if api_key is None:
            # A local server needs no key; without one, none is sent.
            headers["Authorization"] = openai.Omit()
        self._options: Any = {"headers": headers}
        # Retries and time limits are ours: one rule for all, whatever the transport makes of a slow or broken answer.
        self._client = openai.AsyncOpenAI(
            api_key=api_key or "none",
            base_url=settings.base_url,
            timeout=None,
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(timeout=None),
        )

    async def close(self) -> None:
        """Close the session's connections."""
        await self._client.close()

    async def post(self, body: Mapping[str, Any], timeout: float) -> Completion | Failure:  # noqa: ASYNC109 - also the whole
        """Return the answer to a chat completion, or the failure; `timeout` bounds connection, waiting and reading."""
        try:
            async with asyncio.timeout(timeout):
                # Untyped on purpose: the typed method spends more time on checking our body and building its models
                # than the request itself takes, and real servers do not keep to its types.
                answer = await self._client.post(
                    "/chat/completions", body=dict(body), cast_to=object, options=self._options
                )
        except json.JSONDecodeError as error:
            # Read again by our own, laxer reader before it counts as broken.
            answer = error.doc
        except TimeoutError:
            return Failure(NO_ANSWER, f"no answer within {timeout:.3g} s")
        except openai.APIStatusError as error:
            told = error.body if error.body is not None else error.message
            # What the status line says is what happened; a code in the body is only the endpoint's own word for it.
            failure = failure_of(told, error.status_code, retry_after(error.response.headers))
            return self._redacted(failure._replace(status=error.status_code))
        # ValueError: bytes that are not text in the encoding they claim.
        except (openai.OpenAIError, OSError, ValueError) as error:
            cause = error.__cause__ or error
            return Failure(NO_ANSWER, f"connection failed: {type(cause).__name__}: {str(cause)[:200]}")
        answered = completion_of(answer)
        return self._redacted(answered) if isinstance(answered, Failure) else answered

    def _redacted(self, failure: Failure) -> Failure:
        """Return the failure without the key, whole or in the shortened form in which endpoints echo it."""
        if not self._key:
            return failure
        echoed = re.escape(self._key[:6]) + r"\S*" if len(self._key) >= 12 else re.escape(self._key)
        message, code = (re.sub(echoed, "[key]", text) for text in (failure.message, failure.code))
        return failure._replace(message=message, code=code)


def is_passing(failure: Failure) -> bool:
    """Return whether the same request may succeed a little later."""
    return failure.status in _PASSING or failure.status >= 500


def is_refusal(failure: Failure) -> bool:
    """Return whether the endpoint refuses what was asked for, so that asking for less may do."""
    if failure.status in (400, 422):
        about_itself = (
            _TOO_LONG.search(failure.message) or _BAD_KEY.search(failure.message) or is_unknown_model(failure)
        )
        return is_about_format(failure.message) or not about_itself
    return failure.status in _REFUSED and is_about_format(failure.message)


def fatal_error(failure: Failure, model: str, settings: LlmSettings, *, has_key: bool) -> EndpointError | None:
    """Return the error that ends the run, naming the endpoint, the model and the key's variable; None if it need not."""
    if failure.status in _FATAL:
        what = _FATAL[failure.status]
    elif failure.status in (400, 422) and is_unknown_model(failure):
        what = "it has no such model"
    elif failure.status == 400 and _BAD_KEY.search(f"{failure.code} {failure.message}"):
        what = _FATAL[401]
    elif "insufficient_quota" in failure.code:
        what = "the quota of the key is used up"
    else:
        return None
    # Endpoints echo the key when they refuse it, so those words are not repeated.
    said = "" if failure.status == 401 else f": {failure.message[:200]}"
    variable = f"{settings.api_key_env} {'is set' if has_key else 'is not set'}"
    return EndpointError(
        f"{settings.base_url} refuses model {model!r}: {what} (HTTP {failure.status}{said}); "
        f"check base_url, the model and the key ({variable})"
    )
