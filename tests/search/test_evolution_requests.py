"""A generation proposes all children before it grades any, and only requests new grades."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.roles import MutationMode, Proposal, ProposeRequest
from tests.fakes import (
    FakeProposer,
    FakeVerifier,
    ScriptedProposer,
    criterion,
    fake_roles,
)
from tests.search.generations import FREE, context_with, generation_of
from tests.worlds import context_of, planted_prompt, run, search_settings, states_of


def test_all_children_are_proposed_before_any_is_graded() -> None:
    events: list[str] = []

    class Proposing(FakeProposer):
        async def propose(self, request: ProposeRequest) -> Proposal:
            events.append("propose")
            return await super().propose(request)

    class Grading(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            events.append("grade")
            return await super().grade(request)

    states_of(context_with(Proposing(), Grading(), generations=1, initializer={"initial_proposals": 0}))

    first, last = events.index("propose"), len(events) - events[::-1].index("propose") - 1
    assert events[first : last + 1] == ["propose"] * 3


def test_new_criteria_of_all_siblings_share_one_request_for_each_candidate_and_vote() -> None:
    proposer = ScriptedProposer(lambda request: Proposal((criterion(f"a{2 + request.attempt % 1000}"),)))
    context = context_with(
        proposer, evolution={"racing": False}, initializer={"initial_proposals": 0}, grading={"num_votes": 2}
    )

    _, after, requests = generation_of(context, [MutationMode.RAISE_BAR] * 3)

    positions = Counter((request.candidate_text, request.vote) for request in requests)
    assert set(positions.values()) == {1}
    assert len(positions) == 8 * 2
    assert {len(request.criteria) for request in requests} == {3}
    assert all([c.key for c in request.criteria] == sorted(c.key for c in request.criteria) for request in requests)
    assert after.last_calls.verifier == 16


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.sampled_from(["pooled", "per_rubric", "per_criterion"]), st.booleans(), st.integers(0, 9))
def test_no_request_is_too_large_and_no_grade_is_requested_twice(
    per_call: int, grading: str, racing: bool, seed: int
) -> None:
    verifier = FakeVerifier(0.3)
    chosen_settings = search_settings(
        seed=seed, grading={"grading": grading, "criteria_per_call": per_call}, evolution={"racing": racing}
    )
    roles = replace(fake_roles(), verifier=verifier)

    run(context_of(planted_prompt(6, kinds=9, seed=seed), roles, chosen_settings, generations=2))

    requests = [
        (c.key, request.candidate_text, request.vote) for request in verifier.requests for c in request.criteria
    ]
    assert max(len(request.criteria) for request in verifier.requests) <= (
        1 if grading == "per_criterion" else per_call
    )
    assert len(set(requests)) == len(requests)


@pytest.mark.parametrize(
    "criteria",
    [
        [criterion("  A0 "), Criterion(criterion_id="later", text="a1", weight=7, criterion_type="style")],
        [Criterion(criterion_id="x", text="A1"), Criterion(criterion_id="y", text="a0")],
    ],
)
def test_criteria_of_the_parent_with_new_ids_and_order_make_no_child_and_no_request(criteria: list[Criterion]) -> None:
    context = context_with(
        ScriptedProposer(lambda request: Proposal(tuple(criteria), ("a0", "a1"))),
        evolution={"free_modes": ()},
        initializer={"initial_proposals": 0},
    )

    before, after, requests = generation_of(context, [MutationMode.RAISE_BAR] * 3)

    assert requests == []
    assert after.population == before.population


def test_new_weights_need_no_request() -> None:
    context = context_with(initializer={"initial_proposals": 0}, evolution={"free_modes": FREE})

    before, after, requests = generation_of(context, [MutationMode.WEIGHT_PERTURB] * 4)

    assert requests == []
    assert context.roles.proposer.requests == []
    assert after.last_calls.total == 0
    assert len(after.population) > len(before.population)


def test_a_criterion_proposed_again_is_not_graded_again() -> None:
    def script(request: ProposeRequest) -> Proposal:
        return Proposal((criterion("a5" if request.attempt // 1000 != 2 else "a6"),))

    context = context_with(
        ScriptedProposer(script), evolution={"racing": False, "population_size": 1, "free_modes": ()}
    )

    states_of(context)

    requests = Counter(
        (c.text, request.candidate_text) for request in context.roles.verifier.requests for c in request.criteria
    )
    assert set(requests.values()) == {1}
    assert {text for text, _ in requests} == {"a0", "a1", "a5", "a6"}


def test_all_requests_are_counted() -> None:
    context = context_with(verifier=FakeVerifier(0.3, failing=0.2))

    states = states_of(context)

    calls = states[-1].calls
    assert calls.initializer == len(context.roles.initializer.requests) == 1
    assert calls.proposer == len(context.roles.proposer.requests)
    assert calls.verifier == len(context.roles.verifier.requests)
    assert calls == sum((state.last_calls for state in states[1:]), states[0].calls)
    assert [milestone.calls for milestone in states[-1].history] == [state.last_calls.total for state in states]


def test_measured_criteria_need_no_request() -> None:
    measured = Criterion(criterion_id="long", text="is long", measure="min_words(8)")
    context = context_with(
        ScriptedProposer(lambda request: Proposal((measured,))),
        evolution={"free_modes": (), "racing": True},
        initializer={"initial_proposals": 0},
    )

    _, after, requests = generation_of(context, [MutationMode.RAISE_BAR])

    assert requests == []
    assert after.bank.has(measured.key, 0, 0)
    assert after.ancestors[-1].operator == "raise_bar"
