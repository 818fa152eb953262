"""Missing grades and unreadable replies never displace a complete rubric."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.roles import Proposal, Proposer, ProposeRequest
from tests.fakes import (
    FakeProposer,
    FakeVerifier,
    FlakyVerifier,
    ScriptedProposer,
    attributes,
    chance,
    criterion,
)
from tests.search.generations import FREE, context_with, proposing
from tests.worlds import run, states_of


class IncompleteVerifier(FakeVerifier):
    """Leaves one criterion ungraded on one candidate."""

    criterion_text = "a9"
    until = 10_000

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        graded = dict(await super().grade(request))
        if len(self.requests) < self.until and attributes(request.candidate_text)["a0"] > 0.5:
            graded.pop(criterion(self.criterion_text).key, None)
        return graded


def test_an_incomplete_child_never_displaces_a_complete_rubric() -> None:
    # a9 would be the best criterion, but some of its grades are missing.
    context = context_with(
        proposing("a9"),
        IncompleteVerifier(),
        evolution={"population_size": 1, "racing": False, "free_modes": ()},
        initializer={"initial_proposals": 0},
    )

    states = states_of(context)

    assert all(state.best == states[0].best for state in states)
    assert states[1].last_calls.ungraded > 0


def test_missing_grades_are_requested_again_and_then_count() -> None:
    verifier = FlakyVerifier(unread=3)
    states = states_of(context_with(verifier=verifier, initializer={"initial_proposals": 0}, generations=1))

    first, second = states
    assert first.calls.failed == 3
    assert all(individual.evaluation.is_complete for individual in second.population)
    assert second.last_calls.ungraded == 0


def test_a_search_with_many_empty_replies_ends_with_a_complete_best_rubric() -> None:
    class Unreliable(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            if chance(len(self.requests), "mood") < 0.4:
                self.requests.append(request)
                return {}
            return await super().grade(request)

    state, conclusion = run(context_with(verifier=Unreliable(0.3), generations=4, evolution={"free_modes": FREE}))

    assert state.calls.ungraded > 0
    assert state.best.evaluation.is_complete
    assert conclusion.measured_rubric.criteria


def test_a_search_without_any_grade_still_concludes_with_a_rubric() -> None:
    class Silent(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            self.requests.append(request)
            return {}

    state, conclusion = run(context_with(verifier=Silent(), evolution={"free_modes": FREE}))

    assert not any(individual.evaluation.is_complete for individual in state.population)
    assert set(conclusion.candidate_scores.values()) == {None}
    assert conclusion.measured_rubric.criteria


@dataclass
class UnreadableProposer(FakeProposer):
    """Gives unreadable replies only."""

    async def propose(self, request: ProposeRequest) -> Proposal:
        raise ReplyError("mumble")


@pytest.mark.parametrize(
    ("proposer", "failed"), [(UnreadableProposer(), 3), (ScriptedProposer(lambda request: None), 0)]
)
def test_an_unreadable_proposal_is_a_failure_and_an_empty_one_is_not(proposer: Proposer, failed: int) -> None:
    context = context_with(proposer, evolution={"free_modes": ()}, generations=1)

    first, second = states_of(context)

    assert second.population == first.population == (first.initial,)
    assert (second.last_calls.proposer, second.last_calls.failed) == (3, failed)
