"""Replies that cannot be used: requested once more, and then an error or a partial result."""

import json

import pytest

from autosr_lib.domain.preference import Verdict
from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.roles import Grade
from autosr_lib.llm.call_records import CallOutcome
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import KEYS, grade_once, judge_request, roles_of
from tests.llm.server import Fault, Says, user_text


@pytest.mark.parametrize(
    ("fault", "description"),
    [
        (Says(None, refusal="I cannot help with that."), "the model refused: I cannot help"),
        (Says("", finish_reason="content_filter"), "stopped by a content filter"),
        (Says(""), "the reply is empty"),
        (Says("I think it is a fine answer."), "there is no complete JSON object"),
        (Says('{"reason": "they are', finish_reason="length"), "there is no complete JSON object"),
    ],
    ids=repr,
)
async def test_a_bad_reply_is_requested_once_more_with_its_fault(
    serve: Serve, client_for: ClientFor, fault: Fault, description: str
) -> None:
    server = serve([fault])
    client = client_for(server)

    async with client:
        verdict = await roles_of(client).judge.prefer(judge_request())

    assert verdict in tuple(Verdict)
    assert len(server.requests) == 2
    assert description in user_text(server.requests[1])
    assert client.calls.drain()[0].asked_again


async def test_a_second_bad_reply_raises_a_reply_error_with_its_first_200_characters(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(lambda n, body: Says("nonsense " * 100))
    client = client_for(server)

    async with client:
        with pytest.raises(ReplyError) as caught:
            await roles_of(client).judge.prefer(judge_request())

    assert repr(("nonsense " * 100)[:200]) in str(caught.value)
    assert len(server.requests) == 2
    assert client.cache.info().entries == 0
    assert client.calls.drain()[0].outcome is CallOutcome.BAD_REPLY


async def test_a_truncated_reply_is_requested_again_with_twice_as_many_tokens(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve([Says('{"C1": {"reason": "a', finish_reason="length")])
    client = client_for(server, role_verifier={"max_tokens": 50})

    await grade_once(client)

    assert [body["max_tokens"] for body in server.requests] == [50, 100]


async def test_a_criterion_without_a_grade_is_requested_again_and_then_stays_ungraded(
    serve: Serve, client_for: ClientFor
) -> None:
    partial = json.dumps({"C1": {"reason": "r", "grade": 5}, "C2": {"reason": "r", "grade": 9}})
    server = serve(lambda n, body: Says(partial))
    client = client_for(server)

    grades = await grade_once(client)

    assert grades == {KEYS[0]: Grade(1.0, "r")}
    assert "C2: the grade 9 is outside 0 to 5; C3 has no grade" in user_text(server.requests[1])
    assert client.cache.info().entries == 0
    assert client.calls.drain()[0].outcome is CallOutcome.PARTIAL


async def test_two_partial_replies_are_merged(serve: Serve, client_for: ClientFor) -> None:
    halves = [Says(json.dumps({label: {"grade": grade}})) for label, grade in (("C1", 5), ("C3", 0))]
    server = serve(halves)

    grades = await grade_once(client_for(server))

    assert grades == {KEYS[0]: Grade(1.0), KEYS[2]: Grade(0.0)}
