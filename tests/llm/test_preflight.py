"""The preflight: one small request per model before money is spent."""

import pytest

from autosr_lib.errors import EndpointError
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import grade_request, roles_of
from tests.llm.server import ModelServer, Status, accept_formats


async def test_preflight_detects_a_wrong_key_with_one_request(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Status(401)])
    client = client_for(server)

    async with client:
        with pytest.raises(EndpointError, match="rejects the API key"):
            await client.preflight()

    assert len(server.requests) == 1


async def test_preflight_checks_each_model_once_and_a_repeated_run_sends_no_request(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve()
    changes = {"model_judge": "other"}

    for _ in range(2):
        client = client_for(server, **changes)
        async with client:
            await client.preflight()

    assert sorted(body["model"] for body in server.requests) == ["other", "scripted"]


async def test_preflight_reports_an_endpoint_that_does_not_answer(client_for: ClientFor) -> None:
    with ModelServer() as server:
        pass
    client = client_for(server, llm_max_retries=1)

    async with client:
        with pytest.raises(
            EndpointError, match="no reply to the preflight request after 2 attempts; last failure: connection failed"
        ):
            await client.preflight()


async def test_the_capability_that_preflight_detects_is_cached_for_the_next_run(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(accept_formats("text"))
    async with client_for(server) as client:
        await client.preflight()
    sent = len(server.requests)

    async with client_for(server) as client:
        await client.preflight()
        await roles_of(client).verifier.grade(grade_request())

    assert len(server.requests) == sent + 1
