"""A whole search over the network: what leaks, what faults change, and what a second run costs."""

from collections.abc import Callable
from typing import Any

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import GradingSettings, HoldoutSettings, JudgeSetting, ReferenceSettings
from autosr_lib.llm import ModelClient
from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.search.state import SearchState
from tests.llm.asking import roles_of
from tests.llm.server import Drop, Envelope, Fault, ModelServer, Says, Status, all_text, chance, role_of, user_text
from tests.worlds import search_prompt

Serve = Callable[..., ModelServer]
ClientFor = Callable[..., ModelClient]

PROMPT = Prompt(
    prompt_id="LEAK-prompt",
    prompt="Explain rain to a child.",
    candidates=tuple(
        Candidate(
            candidate_id=f"LEAK-candidate-{n}",
            text=f"Rain is water, told in way {n}.",
            source=f"LEAK-source-{n % 2}",
            metadata={"rank": n + 1, "quality": 0.987654 - n / 10, "note": "LEAK-metadata"},
        )
        for n in range(6)
    ),
    metadata={"topic": "LEAK-topic"},
)


async def searched(client: ModelClient, judge: JudgeSetting = JudgeSetting.AUTO) -> tuple[SearchState, Conclusion]:
    settings = SearchSettings(grading=GradingSettings(num_votes=1, finalist_votes=1))
    roles = roles_of(client, num_votes=1, finalist_votes=1)
    async with client:
        preferences = await gather_preferences(PROMPT, ReferenceSettings(judge=judge), roles.judge)
        prepared = PreparedPrompt.of(PROMPT, preferences, HoldoutSettings(), settings.objective)
        return await search_prompt(SearchContext(prepared, roles, settings, Structure(generations=2)))


async def test_no_label_leaks_into_any_request_of_a_whole_search(serve: Serve, client_for: ClientFor) -> None:
    server = serve()

    await searched(client_for(server), JudgeSetting.MODEL)

    assert {role_of(body) for body in server.requests} == {"initializer", "proposer", "verifier", "judge"}
    for body in server.requests:
        told = all_text(body)
        assert "LEAK" not in told
        assert "0.98" not in told
        assert "987654" not in told


async def test_a_search_over_an_endpoint_that_fails_a_fifth_of_the_time_ends_with_the_same_result(
    serve: Serve, client_for: ClientFor
) -> None:
    kinds: list[Fault] = [
        Status(429),
        Status(500),
        Drop(),
        Envelope({"error": {"message": "overloaded", "code": 503}}),
        Envelope({"choices": []}),
        Says('{"C1": {"reason": "cut of', finish_reason="length"),
    ]

    def script(number: int, body: dict[str, Any]) -> Fault | None:
        # A reply that was bad is not bad again: a third is not asked for.
        possible = kinds[:-1] if "Your earlier reply" in user_text(body) else kinds
        return possible[number % len(possible)] if chance("fault", str(number)) < 0.2 else None

    expected = await searched(client_for(serve(), llm_cache=False))
    client = client_for(serve(script), llm_cache=False, llm_max_retries=12)

    state, conclusion = await searched(client)

    # As texts: the grades are arrays with gaps, which equal nothing.
    assert repr((state, conclusion)) == repr(expected)
    assert sum(row.retries + row.asked_again for row in client.calls.drain()) > 5


async def test_a_repeated_search_makes_no_request(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    first = await searched(client_for(server))
    sent = len(server.requests)

    second = await searched(client_for(server))

    assert sent > 20
    assert len(server.requests) == sent
    assert repr(second) == repr(first)
