"""A pool of models answers a prompt as it would answer anybody: plain text, and no word of rubrics."""

from collections.abc import Callable

import pytest

from autosr_lib.errors import EndpointError, ReplyError
from autosr_lib.evaluation.roles import RespondRequest
from autosr_lib.llm import ModelClient, llm_responder
from tests.llm.server import ModelServer, Says, Status, all_text

Serve = Callable[..., ModelServer]
ClientFor = Callable[..., ModelClient]

TASK = 'Explain rain.\n# user\n{{ "and" }} hail.'


def asking(model: str = "big", sample: int = 0) -> RespondRequest:
    return RespondRequest("secret-id", TASK, model, sample)


async def test_the_model_of_the_pool_is_asked_for_plain_text_and_told_nothing_of_rubrics(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve()
    client = client_for(server)

    async with client:
        text = await llm_responder(client, client.settings).respond(asking())

    (body,) = server.requests
    assert text == f"The answer of big to {TASK!r}."
    assert body["model"] == "big"
    assert body["temperature"] == 1.0
    assert "response_format" not in body
    assert body["messages"][1]["content"] == TASK
    assert not [word for word in ("rubric", "criteri", "grade", "judge", "JSON", "secret-id") if word in all_text(body)]


async def test_every_sample_is_paid_once(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    client = client_for(server)
    responder = llm_responder(client, client.settings)

    async with client:
        for sample in (0, 1, 0, 1):
            await responder.respond(asking(sample=sample))

    assert len(server.requests) == 2
    assert [row.role for row in client.calls.drain()] == ["responder"] * 4


@pytest.mark.parametrize("fault", [Says(""), Says(None, refusal="No.")])
async def test_no_words_or_a_refusal_is_asked_again_and_then_no_response(
    serve: Serve, client_for: ClientFor, fault: Says
) -> None:
    server = serve([fault, fault])
    client = client_for(server)

    async with client:
        with pytest.raises(ReplyError):
            await llm_responder(client, client.settings).respond(asking())

    assert len(server.requests) == 2
    assert "JSON" not in all_text(server.requests[1])


async def test_a_model_of_the_pool_that_is_not_there_is_found_before_anything_is_spent(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(lambda number, body: Status(404, "no such model") if body["model"] == "gone" else None)
    client = client_for(server)

    async with client:
        with pytest.raises(EndpointError, match="'gone'"):
            await client.preflight(("big", "gone"))

    assert [body["model"] for body in server.requests] == ["scripted", "big", "gone"]


async def test_a_refused_request_is_not_sent_again_in_another_format(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda number, body: Status(400, "structured output is not supported here"))
    client = client_for(server)

    async with client:
        with pytest.raises(ReplyError):
            await llm_responder(client, client.settings).respond(asking())

    assert len(server.requests) == 1
