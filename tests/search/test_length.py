"""A criterion that only counts words is reported unless longer responses are better."""

import asyncio

import pytest

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.results.soundness import length_fault
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.length import LengthReport, find_length_bias
from autosr_lib.search.roles import Roles
from autosr_lib.search.search import start_search
from autosr_lib.search.settings import InitializerStrategy
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier
from tests.worlds import context_of, search_settings

COUNTS = Criterion(criterion_id="counts", text="It is long.", measure="min_words(200)", weight=1.0)


def report_on(*criteria: Criterion, longer_is_better: bool = False) -> LengthReport:
    """Return the length report of a rubric over eight responses, each longer than the previous one."""
    ranks = range(8, 0, -1) if longer_is_better else range(1, 9)
    prompt = Prompt(
        prompt_id="p",
        prompt="Tell.",
        candidates=tuple(
            Candidate(
                candidate_id=f"c{position}", text="word " * (20 + 20 * position), source="s", metadata={"rank": rank}
            )
            for position, rank in enumerate(ranks)
        ),
    )
    settings = search_settings(
        initializer={"initial_proposals": 0, "initializer_strategy": InitializerStrategy.PRESET},
        evolution={"free_modes": (), "refit_on_all": False},
    )
    context = context_of(
        prompt, Roles(FakeInitializer(), FakeProposer(), FakeVerifier(), FakeJudge()), settings, generations=0
    )

    async def go() -> LengthReport:
        state = await start_search(context, {"__default__": Rubric(criteria=criteria)})
        return find_length_bias(context, await conclude_search(context, state))

    return asyncio.run(go())


def test_a_criterion_that_counts_words_and_the_scores_based_on_it_are_reported() -> None:
    assert report_on(COUNTS) == LengthReport(score=True, criteria=("counts",))


def test_length_is_no_fault_if_longer_responses_are_better() -> None:
    assert report_on(COUNTS, longer_is_better=True) == LengthReport(score=False, criteria=())


@pytest.mark.parametrize(
    ("score", "criteria", "fault"),
    [
        (False, [], None),
        (True, [], "its scores follow the length of the texts, which the reference does not"),
        (False, ["a", "b"], "the grades of a, b follow the length of the texts, which the reference does not"),
        (True, ["a"], "its scores and the grades of a follow the length of the texts, which the reference does not"),
    ],
)
def test_the_fault_names_what_follows_the_length(score: bool, criteria: list[str], fault: str | None) -> None:
    assert length_fault(score_follows_length=score, criteria_follow_length=tuple(criteria)) == fault
