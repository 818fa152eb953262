"""A complete search over the network: no leaks, the same result despite failures, and a second run without requests."""

from typing import Any

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import GradingSettings, HoldoutSettings, JudgeSetting, ReferenceSettings
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.search.state import SearchState
from tests.llm.conftest import ClientFor, Serve
from tests.llm.role_requests import roles_of
from tests.llm.server import Drop, Envelope, Fault, Says, Status, all_text, chance, role_of, user_text
from tests.worlds import search_prompt

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


async def run_search(client: ModelClient, judge: JudgeSetting = JudgeSetting.AUTO) -> tuple[SearchState, Conclusion]:
    settings = SearchSettings(grading=GradingSettings(num_votes=1, finalist_votes=1))
    roles = roles_of(client, num_votes=1, finalist_votes=1)
    async with client:
        preferences = await gather_preferences(PROMPT, ReferenceSettings(judge=judge), roles.judge)
        prepared = PreparedPrompt.of(PROMPT, preferences, HoldoutSettings(), settings.objective)
        return await search_prompt(SearchContext(prepared, roles, settings, Structure(generations=2)))


async def test_no_label_leaks_into_any_request_of_a_complete_search(serve: Serve, client_for: ClientFor) -> None:
    server = serve()

    await run_search(client_for(server), JudgeSetting.MODEL)

    assert {role_of(body) for body in server.requests} == {"initializer", "proposer", "verifier", "judge"}
    for body in server.requests:
        text = all_text(body)
        assert "LEAK" not in text
        assert "0.98" not in text
        assert "987654" not in text


async def test_failures_of_a_fifth_of_all_requests_do_not_change_the_result_of_a_search(
    serve: Serve, client_for: ClientFor
) -> None:
    faults: list[Fault] = [
        Status(429),
        Status(500),
        Drop(),
        Envelope({"error": {"message": "overloaded", "code": 503}}),
        Envelope({"choices": []}),
        Says('{"C1": {"reason": "cut of', finish_reason="length"),
    ]

    def script(number: int, body: dict[str, Any]) -> Fault | None:
        # A bad reply is requested only once more, so the second one must be good.
        possible = faults[:-1] if "Your earlier reply" in user_text(body) else faults
        return possible[number % len(possible)] if chance("fault", str(number)) < 0.2 else None

    expected = await run_search(client_for(serve(), llm_cache=False))
    client = client_for(serve(script), llm_cache=False, llm_max_retries=12)

    state, conclusion = await run_search(client)

    # Compared as texts, because the arrays of grades contain NaN, which is not equal to itself.
    assert repr((state, conclusion)) == repr(expected)
    assert sum(row.retries + row.asked_again for row in client.calls.drain()) > 5


async def test_a_repeated_search_sends_no_request(serve: Serve, client_for: ClientFor) -> None:
    server = serve()
    first = await run_search(client_for(server))
    sent = len(server.requests)

    second = await run_search(client_for(server))

    assert sent > 20
    assert len(server.requests) == sent
    assert repr(second) == repr(first)
