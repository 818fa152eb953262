"""Retries after transient failures: waits and deadlines."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from autosr_lib.errors import ReplyError
from autosr_lib.llm.call_records import CallOutcome
from autosr_lib.llm.endpoint.sender import NoReplyError
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import KEYS, ask_every_role, grade_once
from tests.llm.server import Drop, Envelope, Fault, Says, Stall, Status, chance, completion

TRANSIENT: list[Fault] = [
    Status(408),
    Status(409),
    Status(429),
    Status(429, headers={"Retry-After": "0.01"}),
    Status(500),
    Status(502),
    Status(503, error="model is loading"),
    Status(529),
    Drop(),
    Envelope({"error": {"message": "upstream overloaded", "code": 502}}),
    Envelope({"error": {"message": "slow down", "code": 429}}),
    Envelope({"error": "something"}),
    Envelope({**completion(""), "choices": []}),
    Envelope({**completion(""), "choices": None}),
    Envelope({**completion(""), "choices": [{"error": {"message": "died", "code": 500}, "message": {"content": ""}}]}),
    Envelope("<html>Bad gateway</html>"),
    Envelope('{"choices": [{"message"'),
    Envelope([]),
    Envelope({}),
]


@pytest.mark.parametrize("fault", TRANSIENT, ids=repr)
async def test_a_transient_failure_is_retried_and_does_not_change_the_result(
    serve: Serve, client_for: ClientFor, fault: Fault
) -> None:
    healthy, faulty = serve(), serve([fault])

    expected = await grade_once(client_for(healthy, llm_cache=False))
    client = client_for(faulty, llm_cache=False)

    assert await grade_once(client) == expected
    assert len(faulty.requests) == 2
    assert faulty.requests[0] == faulty.requests[1]
    assert client.calls.drain()[0].retries == 1


async def test_a_request_that_times_out_is_retried(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Stall(3)])
    client = client_for(server, llm_timeout=0.2)

    grades = await grade_once(client)

    assert set(grades) == set(KEYS)
    assert len(server.requests) == 2


async def test_a_call_ends_at_its_deadline_even_if_retries_are_left(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(503))
    client = client_for(server, llm_max_retries=100, llm_deadline=0.3, llm_retry_backoff_base=0.05)
    started = time.monotonic()

    with pytest.raises(
        NoReplyError, match=r"no reply to the verifier request within 0.3 s; last failure: (HTTP 503|no response)"
    ):
        await grade_once(client)

    assert time.monotonic() - started < 2


async def test_a_call_that_keeps_failing_raises_a_reply_error_with_the_last_failure(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(lambda n, body: Status(500, error="kaputt"))
    client = client_for(server, llm_max_retries=2)

    with pytest.raises(
        ReplyError, match=r"gave no reply to the verifier request after 3 attempts; last failure: HTTP 500: kaputt"
    ):
        await grade_once(client)

    assert len(server.requests) == 3
    assert client.calls.drain()[0].outcome is CallOutcome.NO_REPLY


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_retry_waits_as_long_as_the_endpoint_asks(serve: Serve, client_for: ClientFor, as_date: bool) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    server = serve([Status(429, headers={"Retry-After": format_datetime(at, usegmt=True) if as_date else "0.5"})])

    await grade_once(client_for(server))

    if as_date:
        assert datetime.now(UTC) >= at
    else:
        assert server.times[1] - server.times[0] >= 0.5


async def test_a_call_ends_at_once_if_the_wait_would_exceed_its_deadline(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Status(429, headers={"Retry-After": "3600"})])
    started = time.monotonic()

    with pytest.raises(NoReplyError):
        await grade_once(client_for(server))

    assert time.monotonic() - started < 2


async def test_retries_without_retry_after_wait_longer_each_time(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Status(429)] * 3)
    client = client_for(server, llm_retry_backoff_base=0.1, llm_retry_backoff_max=10, llm_retry_jitter=0)

    await grade_once(client)

    waits = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert waits[0] >= 0.1
    assert waits[1] >= 0.2
    assert waits[2] >= 0.4


async def test_a_request_that_is_too_long_is_not_retried(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(400, error="This model's maximum context length is 8192 tokens"))

    with pytest.raises(NoReplyError, match="rejects the verifier request: HTTP 400"):
        await grade_once(client_for(server))

    assert len(server.requests) == 1


async def test_random_failures_of_a_fifth_of_all_requests_do_not_change_any_reply(
    serve: Serve, client_for: ClientFor
) -> None:
    faults: list[Fault] = [
        Status(429),
        Status(500),
        Status(503),
        Drop(),
        Envelope({"error": {"message": "overloaded"}}),
        Envelope({**completion(""), "choices": []}),
        Says('{"C1": {"reason": "cut of', finish_reason="length"),
        Says("no JSON at all"),
    ]

    def script(number: int, body: dict[str, Any]) -> Fault | None:
        return faults[number % len(faults)] if chance(str(number)) < 0.2 else None

    expected = await ask_every_role(client_for(serve(), llm_cache=False))
    client = client_for(serve(script), llm_cache=False, llm_max_retries=10)

    assert await ask_every_role(client) == expected
    assert sum(row.retries + row.asked_again for row in client.calls.drain()) > 5
