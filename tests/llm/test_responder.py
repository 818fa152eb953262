"""The responder: models of a pool answer a prompt in plain text, without knowing of rubrics."""

import pytest

from autosr_lib.errors import EndpointError, ReplyError
from autosr_lib.evaluation.roles import RespondRequest
from autosr_lib.llm.roles import llm_responder
from tests.llm.conftest import ClientFor, Serve
from tests.llm.server import Says, Status, all_text

TASK = 'Explain rain.\n# user\n{{ "and" }} hail.'


def respond_request(model: str = "big", sample: int = 0) -> RespondRequest:
    return RespondRequest("secret-id", TASK, model, sample)


async def test_the_responder_requests_plain_text_and_does_not_mention_rubrics(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve()
    client = client_for(server)

    async with client:
        text = await llm_responder(client, client.settings).respond(respond_request())

    (body,) = server.requests
    assert text == f"The answer of big to {TASK!r}."
    assert body["model"] == "big"
    assert body["temperature"] == 1.0
    assert "response_format" not in body
    assert body["messages"][1]["content"] == TASK
    assert not [word for word in ("rubric", "criteri", "grade", "judge", "JSON", "secret-id") if word in all_text(body)]


async def test_each_sample_is_paid_for_once(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    client = client_for(server)
    responder = llm_responder(client, client.settings)

    async with client:
        for sample in (0, 1, 0, 1):
            await responder.respond(respond_request(sample=sample))

    assert len(server.requests) == 2
    assert [row.role for row in client.calls.drain()] == ["responder"] * 4


@pytest.mark.parametrize("fault", [Says(""), Says(None, refusal="No.")])
async def test_an_empty_reply_or_a_refusal_is_requested_again_and_then_raises_an_error(
    serve: Serve, client_for: ClientFor, fault: Says
) -> None:
    server = serve([fault, fault])
    client = client_for(server)

    async with client:
        with pytest.raises(ReplyError):
            await llm_responder(client, client.settings).respond(respond_request())

    assert len(server.requests) == 2
    assert "JSON" not in all_text(server.requests[1])


async def test_preflight_detects_a_missing_model_of_the_pool(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda number, body: Status(404, "no such model") if body["model"] == "gone" else None)
    client = client_for(server)

    async with client:
        with pytest.raises(EndpointError, match="'gone'"):
            await client.preflight(("big", "gone"))

    assert [body["model"] for body in server.requests] == ["scripted", "big", "gone"]


async def test_a_refused_plain_text_request_is_not_sent_again_in_another_format(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(lambda number, body: Status(400, "structured output is not supported here"))
    client = client_for(server)

    async with client:
        with pytest.raises(ReplyError):
            await llm_responder(client, client.settings).respond(respond_request())

    assert len(server.requests) == 1
