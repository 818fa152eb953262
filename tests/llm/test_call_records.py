"""The record of calls and its totals."""

from collections import Counter

import pytest

from autosr_lib.llm.call_records import CALLS_SCHEMA, calls_table
from autosr_lib.llm.settings import Role
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import ask_every_role, judge_request, roles_of
from tests.llm.server import Envelope, Status, completion


async def test_each_call_is_recorded_and_the_totals_agree(serve: Serve, client_for: ClientFor) -> None:
    server = serve([None, Status(500)])
    client = client_for(server, prices={"scripted": {"prompt": 1.0, "completion": 2.0}})

    await ask_every_role(client)
    await ask_every_role(client)

    records = client.calls.drain()
    table = calls_table(records)
    assert table.schema == CALLS_SCHEMA
    assert table.num_rows == len(records) == 132
    totals = client.calls.totals
    assert {role: total.calls for role, total in totals.items()} == Counter(record.role for record in records)
    assert sum(total.completion_tokens for total in totals.values()) == sum(
        record.completion_tokens for record in records
    )
    assert sum(record.retries for record in records) == 1
    assert sum(total.failed for total in totals.values()) == 0
    assert totals[Role.VERIFIER].calls == 80
    assert totals[Role.VERIFIER].cached == 40
    assert sum(total.requests for total in totals.values()) == len(server.requests) == 67
    assert sum(total.prompt_tokens for total in totals.values()) == 6600
    assert client._sender.budget.cost == pytest.approx(66 * (100 * 1.0 + 20 * 2.0) / 1e6)
    assert client.calls.drain() == []


async def test_the_usage_of_a_reply_without_usage_is_estimated_from_its_length(
    serve: Serve, client_for: ClientFor
) -> None:
    body = completion('{"reason": "r", "verdict": "A"}')
    del body["usage"]
    client = client_for(serve([Envelope(body)]))

    async with client:
        await roles_of(client).judge.prefer(judge_request())

    record = client.calls.drain()[0]
    assert record.prompt_tokens > 200
    assert record.completion_tokens == 8


async def test_a_repeated_run_sends_no_request(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    first = await ask_every_role(client_for(server))
    sent = len(server.requests)

    repeated = client_for(server)
    second = await ask_every_role(repeated)

    assert second == first
    assert len(server.requests) == sent
    assert all(record.cached for record in repeated.calls.drain())
