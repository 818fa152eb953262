"""Failures that end the run: a wrong key or model, and an endpoint that is down."""

import asyncio
import json
import logging

import pytest

from autosr_lib.errors import EndpointError, ReplyError
from tests.llm.conftest import KEY, ClientFor, Serve
from tests.llm.role_requests import grade_candidates, grade_once, grade_request, roles_of
from tests.llm.server import Envelope, Fault, Status

FATAL: list[tuple[Fault, str]] = [
    (Status(401, error=f"Incorrect API key provided: {KEY}"), "rejects the API key"),
    (Status(402, error="Insufficient credits"), "requires payment"),
    (Status(403, error=f"key {KEY[:9]}****cdef may not"), "has no access"),
    (Status(404, error="Not Found"), "no such address or model"),
    (Status(404, error={"message": "The model `scripted` does not exist", "code": "model_not_found"}), "no such"),
    (Status(400, error="scripted is not a valid model ID"), "no such model"),
    (Status(400, error={"message": "API key not valid. Please pass a valid API key."}), "rejects the API key"),
    (Status(429, error={"message": "You exceeded your quota", "code": "insufficient_quota"}), "quota"),
    (Envelope({"error": {"message": "No auth credentials found", "code": 401}}), "rejects the API key"),
]


@pytest.mark.parametrize(("fault", "message"), FATAL, ids=[repr(fault) for fault, _ in FATAL])
async def test_a_wrong_key_or_model_ends_the_run_at_once_and_the_key_is_never_shown(
    serve: Serve, client_for: ClientFor, fault: Fault, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(lambda n, body: fault)
    client = client_for(server)

    with pytest.raises(EndpointError, match=message) as caught:
        await grade_once(client)

    error = str(caught.value)
    assert server.base_url in error
    assert "'scripted'" in error
    assert "LLM_API_KEY is set" in error
    assert KEY[:9] not in error + caplog.text + repr(client) + repr(client.calls.drain())
    assert len(server.requests) == 1


async def test_without_a_key_none_is_sent_and_the_error_reports_that_the_variable_is_not_set(
    serve: Serve, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLM_API_KEY")
    server = serve([Status(401)])

    with pytest.raises(EndpointError, match="LLM_API_KEY is not set"):
        await grade_once(client_for(server))

    assert "Authorization" not in server.headers[0]


async def test_after_a_fatal_error_no_further_request_is_sent(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(401))
    client = client_for(server, max_concurrency=2)
    verifier = roles_of(client).verifier

    async with client:
        answers = await asyncio.gather(
            *(verifier.grade(grade_request(f"{i}")) for i in range(20)), return_exceptions=True
        )

    assert all(isinstance(answer, EndpointError) for answer in answers)
    assert len(server.requests) <= 2


async def test_an_endpoint_that_is_down_ends_the_run(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(503))
    client = client_for(server, llm_max_retries=0)
    verifier = roles_of(client).verifier

    errors: list[BaseException] = []
    async with client:
        for number in range(12):
            with pytest.raises((ReplyError, EndpointError)) as caught:
                await verifier.grade(grade_request(prompt_id=f"p{number % 4}"))
            errors.append(caught.value)

    assert [isinstance(error, EndpointError) for error in errors] == [False] * 9 + [True] * 3
    assert "has not answered any of the last 10 calls, each with up to 1 attempt" in str(errors[9])


async def test_a_prompt_that_always_fails_does_not_end_the_run(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(500))
    client = client_for(server, llm_max_retries=0)
    verifier = roles_of(client).verifier

    async with client:
        answers = await asyncio.gather(*(verifier.grade(grade_request()) for _ in range(30)), return_exceptions=True)

    assert all(isinstance(answer, ReplyError) for answer in answers)


def test_settings_and_records_contain_no_key(serve: Serve, client_for: ClientFor) -> None:
    client = client_for(serve())
    asyncio.run(grade_candidates(client, 3))

    text = client.settings.model_dump_json() + json.dumps([str(row) for row in client.calls.drain()]) + repr(client)

    assert "sk-secret" not in text
