"""The budget of a run: calls, tokens and dollars."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest

from autosr_lib.errors import BudgetExhausted
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import grade_candidates, grade_request, roles_of


async def test_a_budget_of_calls_rejects_the_call_that_would_exceed_it(serve: Serve, client_for: ClientFor) -> None:
    server = serve(latency=0.05)
    client = client_for(server, max_calls=3)
    verifier = roles_of(client).verifier

    async with client:
        answers = await asyncio.gather(
            *(verifier.grade(grade_request(f"{i}")) for i in range(8)), return_exceptions=True
        )

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
        calls = [verifier.grade(grade_request(f"{number}")) for number in range(100)]
        with pytest.raises(BudgetExhausted, match=next(iter(limit))):
            await _await_in_turn(calls)

    assert 0 < client._sender.budget.tokens <= 2000
    assert client._sender.budget.tokens == 120 * len(server.requests)
    assert client._sender.budget.cost == pytest.approx(120e-6 * len(server.requests) if "prices" in limit else 0)


async def _await_in_turn(calls: Iterable[Coroutine[Any, Any, Any]]) -> None:
    waiting = list(calls)
    try:
        while waiting:
            await waiting.pop(0)
    finally:
        for call in waiting:
            call.close()


def test_a_budget_applies_across_event_loops(serve: Serve, client_for: ClientFor) -> None:
    client = client_for(serve(), max_calls=5, llm_cache=False)

    asyncio.run(grade_candidates(client, 3))

    with pytest.raises(BudgetExhausted, match="max_calls of the run is 5; 5 used"):
        asyncio.run(grade_candidates(client, 3))
