"""What the client makes of everything that can go wrong on the way."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from autosr_lib.domain.preference import Verdict
from autosr_lib.errors import BudgetExhausted, EndpointError, ReplyError
from autosr_lib.evaluation.roles import Grade
from autosr_lib.llm import ModelClient
from autosr_lib.llm.exchange import NoReplyError
from autosr_lib.llm.records import Outcome
from tests.llm.asking import KEYS, grading_of, judging_of, roles_of
from tests.llm.conftest import KEY
from tests.llm.server import Drop, Envelope, Fault, ModelServer, Says, Stall, Status, completion, user_text

Serve = Callable[..., ModelServer]
ClientFor = Callable[..., ModelClient]

PASSING: list[Fault] = [
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


async def graded(client: ModelClient) -> dict[str, Grade]:
    async with client:
        return dict(await roles_of(client).verifier.grade(grading_of()))


@pytest.mark.parametrize("fault", PASSING, ids=repr)
async def test_a_passing_fault_is_retried_and_changes_nothing(
    serve: Serve, client_for: ClientFor, fault: Fault
) -> None:
    sound, faulty = serve(), serve([fault])

    expected = await graded(client_for(sound, llm_cache=False))
    client = client_for(faulty, llm_cache=False)

    assert await graded(client) == expected
    assert len(faulty.requests) == 2
    assert faulty.requests[0] == faulty.requests[1]
    assert client.calls.drain()[0].retries == 1


async def test_a_stall_past_the_timeout_is_retried(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Stall(3)])
    client = client_for(server, llm_timeout=0.2)

    grades = await graded(client)

    assert set(grades) == set(KEYS)
    assert len(server.requests) == 2


async def test_a_call_ends_at_its_deadline_however_many_retries_are_left(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(503))
    client = client_for(server, llm_max_retries=100, llm_deadline=0.3, llm_retry_backoff_base=0.05)
    started = time.monotonic()

    with pytest.raises(NoReplyError, match=r"no reply within 0.3 s; the last: (HTTP 503|no answer)"):
        await graded(client)

    assert time.monotonic() - started < 2


async def test_a_call_that_keeps_failing_is_a_reply_error_with_the_last_fault(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(lambda n, body: Status(500, error="kaputt"))
    client = client_for(server, llm_max_retries=2)

    with pytest.raises(ReplyError, match=r"gave the verifier no reply in 3 tries; the last: HTTP 500: kaputt"):
        await graded(client)

    assert len(server.requests) == 3
    assert client.calls.drain()[0].outcome is Outcome.NO_REPLY


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_retry_waits_as_long_as_the_endpoint_asks(serve: Serve, client_for: ClientFor, as_date: bool) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    server = serve([Status(429, headers={"Retry-After": format_datetime(at, usegmt=True) if as_date else "0.5"})])

    await graded(client_for(server))

    if as_date:
        assert datetime.now(UTC) >= at
    else:
        assert server.times[1] - server.times[0] >= 0.5


async def test_a_wait_beyond_the_deadline_is_not_waited_for(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Status(429, headers={"Retry-After": "3600"})])
    started = time.monotonic()

    with pytest.raises(NoReplyError):
        await graded(client_for(server))

    assert time.monotonic() - started < 2


async def test_retries_without_retry_after_wait_longer_each_time(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Status(429)] * 3)
    client = client_for(server, llm_retry_backoff_base=0.1, llm_retry_backoff_max=10, llm_retry_jitter=0)

    await graded(client)

    waits = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert waits[0] >= 0.1
    assert waits[1] >= 0.2
    assert waits[2] >= 0.4


FATAL: list[tuple[Fault, str]] = [
    (Status(401, error=f"Incorrect API key provided: {KEY}"), "does not accept the key"),
    (Status(402, error="Insufficient credits"), "wants to be paid"),
    (Status(403, error=f"key {KEY[:9]}****cdef may not"), "may not use it"),
    (Status(404, error="Not Found"), "no such address or model"),
    (Status(404, error={"message": "The model `scripted` does not exist", "code": "model_not_found"}), "no such"),
    (Status(400, error="scripted is not a valid model ID"), "no such model"),
    (Status(400, error={"message": "API key not valid. Please pass a valid API key."}), "does not accept the key"),
    (Status(429, error={"message": "You exceeded your quota", "code": "insufficient_quota"}), "quota"),
    (Envelope({"error": {"message": "No auth credentials found", "code": 401}}), "does not accept the key"),
]


@pytest.mark.parametrize(("fault", "says"), FATAL, ids=[repr(fault) for fault, _ in FATAL])
async def test_a_bad_key_or_model_ends_the_run_at_once_and_the_key_is_never_told(
    serve: Serve, client_for: ClientFor, fault: Fault, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(lambda n, body: fault)
    client = client_for(server)

    with pytest.raises(EndpointError, match=says) as caught:
        await graded(client)

    told = str(caught.value)
    assert server.base_url in told
    assert "'scripted'" in told
    assert "LLM_API_KEY is set" in told
    assert KEY[:9] not in told + caplog.text + repr(client) + repr(client.calls.drain())
    assert len(server.requests) == 1


async def test_without_a_key_none_is_sent_and_the_error_says_that_the_variable_is_not_set(
    serve: Serve, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLM_API_KEY")
    server = serve([Status(401)])

    with pytest.raises(EndpointError, match="LLM_API_KEY is not set"):
        await graded(client_for(server))

    assert "Authorization" not in server.headers[0]


async def test_after_a_fatal_error_no_further_request_is_sent(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(401))
    client = client_for(server, max_concurrency=2)
    verifier = roles_of(client).verifier

    async with client:
        answers = await asyncio.gather(*(verifier.grade(grading_of(f"{i}")) for i in range(20)), return_exceptions=True)

    assert all(isinstance(answer, EndpointError) for answer in answers)
    assert len(server.requests) <= 2


async def test_preflight_finds_a_bad_key_with_one_request(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Status(401)])
    client = client_for(server)

    async with client:
        with pytest.raises(EndpointError, match="does not accept the key"):
            await client.preflight()

    assert len(server.requests) == 1


async def test_preflight_asks_every_model_once_and_a_repeated_run_none(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    changes = {"model_judge": "other"}

    for _ in range(2):
        client = client_for(server, **changes)
        async with client:
            await client.preflight()

    assert sorted(body["model"] for body in server.requests) == ["other", "scripted"]


async def test_preflight_names_an_endpoint_that_does_not_answer(client_for: ClientFor) -> None:
    with ModelServer() as server:
        pass
    client = client_for(server, llm_max_retries=1)

    async with client:
        with pytest.raises(EndpointError, match="no reply in 2 tries; the last: connection failed"):
            await client.preflight()


async def test_an_endpoint_that_answers_nobody_any_more_ends_the_run(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(503))
    client = client_for(server, llm_max_retries=0)
    verifier = roles_of(client).verifier

    errors: list[BaseException] = []
    async with client:
        for number in range(12):
            with pytest.raises((ReplyError, EndpointError)) as caught:
                await verifier.grade(grading_of(prompt_id=f"p{number % 4}"))
            errors.append(caught.value)

    assert [isinstance(error, EndpointError) for error in errors] == [False] * 9 + [True] * 3
    assert "answered none of the last 10 calls" in str(errors[9])


async def test_a_prompt_that_always_fails_does_not_end_the_run(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(500))
    client = client_for(server, llm_max_retries=0)
    verifier = roles_of(client).verifier

    async with client:
        answers = await asyncio.gather(*(verifier.grade(grading_of()) for _ in range(30)), return_exceptions=True)

    assert all(isinstance(answer, ReplyError) for answer in answers)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Says(None, refusal="I cannot help with that."), "the model refused: I cannot help"),
        (Says("", finish_reason="content_filter"), "stopped by a content filter"),
        (Says(""), "the reply is empty"),
        (Says("I think it is a fine answer."), "there is no complete JSON object"),
        (Says('{"reason": "they are', finish_reason="length"), "there is no complete JSON object"),
    ],
    ids=repr,
)
async def test_a_bad_reply_is_asked_again_once_with_the_fault_named(
    serve: Serve, client_for: ClientFor, fault: Fault, says: str
) -> None:
    server = serve([fault])
    client = client_for(server)

    async with client:
        verdict = await roles_of(client).judge.prefer(judging_of())

    assert verdict in tuple(Verdict)
    assert len(server.requests) == 2
    assert says in user_text(server.requests[1])
    assert client.calls.drain()[0].asked_again


async def test_a_reply_that_stays_bad_is_a_reply_error_with_its_first_200_characters(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(lambda n, body: Says("nonsense " * 100))
    client = client_for(server)

    async with client:
        with pytest.raises(ReplyError) as caught:
            await roles_of(client).judge.prefer(judging_of())

    assert repr(("nonsense " * 100)[:200]) in str(caught.value)
    assert len(server.requests) == 2
    assert client.cache.info().entries == 0
    assert client.calls.drain()[0].outcome is Outcome.BAD_REPLY


async def test_a_reply_that_was_cut_off_is_asked_again_with_twice_the_room(serve: Serve, client_for: ClientFor) -> None:
    server = serve([Says('{"C1": {"reason": "a', finish_reason="length")])
    client = client_for(server, role_verifier={"max_tokens": 50})

    await graded(client)

    assert [body["max_tokens"] for body in server.requests] == [50, 100]


async def test_a_criterion_that_was_left_out_is_asked_again_and_then_ungraded(
    serve: Serve, client_for: ClientFor
) -> None:
    partial = json.dumps({"C1": {"reason": "r", "grade": 5}, "C2": {"reason": "r", "grade": 9}})
    server = serve(lambda n, body: Says(partial))
    client = client_for(server)

    grades = await graded(client)

    assert grades == {KEYS[0]: Grade(1.0, "r")}
    assert "C2: the grade 9 is outside 0 to 5; C3 has no grade" in user_text(server.requests[1])
    assert client.cache.info().entries == 0
    assert client.calls.drain()[0].outcome is Outcome.PARTIAL


async def test_two_partial_replies_are_put_together(serve: Serve, client_for: ClientFor) -> None:
    halves = [Says(json.dumps({label: {"grade": grade}})) for label, grade in (("C1", 5), ("C3", 0))]
    server = serve(halves)

    grades = await graded(client_for(server))

    assert grades == {KEYS[0]: Grade(1.0), KEYS[2]: Grade(0.0)}


async def test_a_request_that_is_too_long_is_refused_without_retries(serve: Serve, client_for: ClientFor) -> None:
    server = serve(lambda n, body: Status(400, error="This model's maximum context length is 8192 tokens"))

    with pytest.raises(NoReplyError, match="refuses this request of the verifier: HTTP 400"):
        await graded(client_for(server))

    assert len(server.requests) == 1


def _only(*allowed: str) -> Callable[[int, dict[str, object]], Fault | None]:
    def script(number: int, body: dict[str, object]) -> Fault | None:
        asked = body.get("response_format", {"type": "text"})
        assert isinstance(asked, dict)
        return (
            None if asked["type"] in allowed else Status(400, error=f"response_format {asked['type']} is not supported")
        )

    return script


@pytest.mark.parametrize(("allowed", "tries"), [(("json_object", "text"), 2), (("text",), 3)])
async def test_an_endpoint_that_refuses_structured_output_is_asked_for_less_and_that_is_remembered(
    serve: Serve, client_for: ClientFor, allowed: tuple[str, ...], tries: int
) -> None:
    server = serve(_only(*allowed))
    client = client_for(server)
    verifier = roles_of(client).verifier

    async with client:
        first = await verifier.grade(grading_of())
        second = await verifier.grade(grading_of("Another answer."))

    assert set(first) == set(second) == set(KEYS)
    assert len(server.requests) == tries + 1
    assert client.capability("scripted").reply_format == allowed[0]


async def test_what_preflight_found_of_an_endpoint_is_known_to_the_next_run(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(_only("text"))
    async with client_for(server) as client:
        await client.preflight()
    sent = len(server.requests)

    async with client_for(server) as client:
        await client.preflight()
        await roles_of(client).verifier.grade(grading_of())

    assert len(server.requests) == sent + 1


async def test_an_endpoint_that_wants_max_completion_tokens_gets_it(serve: Serve, client_for: ClientFor) -> None:
    server = serve(
        lambda n, body: (
            Status(400, error="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
            if "max_tokens" in body
            else None
        )
    )
    client = client_for(server, role_default={"max_tokens": 500})

    await graded(client)

    assert server.requests[-1]["max_completion_tokens"] == 500
    assert server.requests[-1]["response_format"]["type"] == "json_schema"


async def test_a_budget_of_calls_stops_before_the_call_that_would_exceed_it(
    serve: Serve, client_for: ClientFor
) -> None:
    server = serve(latency=0.05)
    client = client_for(server, max_calls=3)
    verifier = roles_of(client).verifier

    async with client:
        answers = await asyncio.gather(*(verifier.grade(grading_of(f"{i}")) for i in range(8)), return_exceptions=True)

    assert len(server.requests) == 3
    assert sum(isinstance(answer, BudgetExhausted) for answer in answers) == 5
    assert sum(isinstance(answer, dict) for answer in answers) == 3


@pytest.mark.parametrize(
    "limit",
    [{"max_tokens": 2000}, {"max_cost": 0.002, "prices": {"scripted": {"prompt": 1, "completion": 1}}}],
    ids=str,
)
async def test_a_budget_of_tokens_or_dollars_is_not_exceeded(
    serve: Serve, client_for: ClientFor, limit: dict[str, object]
) -> None:
    server = serve()
    client = client_for(server, **limit)
    verifier = roles_of(client).verifier

    async with client:
        calls = [verifier.grade(grading_of(f"{number}")) for number in range(100)]
        with pytest.raises(BudgetExhausted, match=next(iter(limit))):
            await _one_by_one(calls)

    assert 0 < client.budget.tokens <= 2000
    assert client.budget.tokens == 120 * len(server.requests)
    assert client.budget.cost == pytest.approx(120e-6 * len(server.requests) if "prices" in limit else 0)


async def _one_by_one(calls: Iterable[Coroutine[Any, Any, Any]]) -> None:
    waiting = list(calls)
    try:
        while waiting:
            await waiting.pop(0)
    finally:
        for call in waiting:
            call.close()


async def test_a_reply_under_way_when_its_asker_is_cancelled_is_kept(serve: Serve, client_for: ClientFor) -> None:
    server = serve(latency=0.2)
    client = client_for(server)
    verifier = roles_of(client).verifier

    async with client:
        asking = asyncio.create_task(verifier.grade(grading_of()))
        await asyncio.sleep(0.1)
        asking.cancel()
    async with client:
        grades = await verifier.grade(grading_of())

    assert set(grades) == set(KEYS)
    assert len(server.requests) == 1
