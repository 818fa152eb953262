"""One HTTP request, sent with `openai` over aiohttp.

This module imports `openai`, which is slow; `sender.py` imports this module when it opens a session. The session of a
transport belongs to one event loop.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import openai

from autosr_lib.llm.endpoint.backoff import parse_retry_after
from autosr_lib.llm.endpoint.completion import Completion, parse_completion
from autosr_lib.llm.endpoint.failures import NO_STATUS, Failure, parse_failure
from autosr_lib.llm.settings import LlmSettings


class Transport:
    """A session with the endpoint in one event loop."""

    def __init__(self, settings: LlmSettings, api_key: str | None) -> None:
        self._settings = settings
        self._key = api_key
        # OpenAI's own variables (OPENAI_ORG_ID, …) may be set for another purpose; they are not sent to this endpoint.
        headers: dict[str, Any] = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        if api_key is None:
            # A local server needs no key.
            headers["Authorization"] = openai.Omit()
        self._options: Any = {"headers": headers}
        # Retries and timeouts are handled by our code, so that the same rules apply to every kind of failure.
        self._client = openai.AsyncOpenAI(
            api_key=api_key or "none",
            base_url=settings.base_url,
            timeout=None,
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(timeout=None),
        )

    async def close(self) -> None:
        """Close the connections of the session."""
        await self._client.close()

    async def post(self, body: Mapping[str, Any], seconds: float) -> Completion | Failure:
        """Return the response to a chat completion request.

        Args:
            body: the body of the request.
            seconds: timeout for connecting, waiting and reading together.
        """
        try:
            async with asyncio.timeout(seconds):
                # The untyped method: the typed one spends more time on validating the body and building its models
                # than the request takes, and actual servers deviate from its types.
                response = await self._client.post(
                    "/chat/completions", body=dict(body), cast_to=object, options=self._options
                )
        except json.JSONDecodeError as error:
            # Our own, more lenient parser may be able to read it.
            response = error.doc
        except TimeoutError:
            return Failure(NO_STATUS, f"no response within {seconds:.3g} s")
        except openai.APIStatusError as error:
            error_body = error.body if error.body is not None else error.message
            failure = parse_failure(error_body, error.status_code, parse_retry_after(error.response.headers))
            # The status line takes precedence over a code in the body.
            return self._redact(failure._replace(status=error.status_code))
        # ValueError: bytes that are not valid in the encoding that the response declares.
        except (openai.OpenAIError, OSError, ValueError) as error:
            cause = error.__cause__ or error
            return Failure(NO_STATUS, f"connection failed: {type(cause).__name__}: {str(cause)[:200]}")
        completion = parse_completion(response)
        return self._redact(completion) if isinstance(completion, Failure) else completion

    def _redact(self, failure: Failure) -> Failure:
        """Return the failure without the key, which endpoints repeat in full or shortened."""
        if not self._key:
            return failure
        key = re.escape(self._key[:6]) + r"\S*" if len(self._key) >= 12 else re.escape(self._key)
        message, code = (re.sub(key, "[key]", text) for text in (failure.message, failure.code))
        return failure._replace(message=message, code=code)
