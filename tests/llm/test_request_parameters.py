"""Parameters of requests: those of each role, and those that an endpoint supports."""

import pytest

from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import KEYS, grade_once, grade_request, judge_request, roles_of
from tests.llm.server import Status, accept_formats


@pytest.mark.parametrize(("accepted", "requests"), [(("json_object", "text"), 2), (("text",), 3)])
async def test_a_weaker_reply_format_is_used_and_remembered_if_the_endpoint_refuses_structured_output(
    serve: Serve, client_for: ClientFor, accepted: tuple[str, ...], requests: int
) -> None:
    server = serve(accept_formats(*accepted))
    client = client_for(server)
    verifier = roles_of(client).verifier

    async with client:
        first = await verifier.grade(grade_request())
        second = await verifier.grade(grade_request("Another answer."))

    assert set(first) == set(second) == set(KEYS)
    assert len(server.requests) == requests + 1
    assert client.capability("scripted").reply_format == accepted[0]


async def test_max_completion_tokens_is_sent_to_an_endpoint_that_requires_it(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(
        lambda n, body: (
            Status(400, error="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
            if "max_tokens" in body
            else None
        )
    )
    client = client_for(server, role_default={"max_tokens": 500})

    await grade_once(client)

    assert server.requests[-1]["max_completion_tokens"] == 500
    assert server.requests[-1]["response_format"]["type"] == "json_schema"


async def test_each_role_sends_its_own_parameters(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    client = client_for(
        server,
        model_judge="judge-model",
        role_default={"seed": 5, "max_tokens": 700, "extra_body": {"provider": {"sort": "price"}}},
        role_judge={"temperature": 1.5, "reasoning_effort": "low", "extra_body": {"top_k": 3}},
    )
    roles = roles_of(client)

    async with client:
        await roles.judge.prefer(judge_request())
        await roles.verifier.grade(grade_request(vote=2))

    judge, verifier = server.requests
    assert judge["model"] == "judge-model"
    assert (judge["temperature"], judge["reasoning_effort"], judge["top_k"]) == (1.5, "low", 3)
    assert judge["provider"] == verifier["provider"] == {"sort": "price"}
    assert (judge["seed"], verifier["seed"]) == (5, 7)
    assert (verifier["model"], verifier["max_tokens"]) == ("scripted", 700)
    assert "reasoning_effort" not in verifier
