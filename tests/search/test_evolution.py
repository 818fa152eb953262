"""A generation proposes first and grades then, pays only for what is new, and never loses its best."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.children import Selection
from autosr_lib.search.context import SearchContext
from autosr_lib.search.evolution import run_generation
from autosr_lib.search.population import by_merit
from autosr_lib.search.roles import MutationMode, Proposal, Proposer, ProposeRequest, Roles
from autosr_lib.search.schedule import SCHEDULED
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.state import SearchState
from tests.fakes import (
    FakeInitializer,
    FakeJudge,
    FakeProposer,
    FakeVerifier,
    FlakyVerifier,
    ScriptedProposer,
    attributes,
    chance,
    criterion,
    fake_roles,
)
from tests.worlds import planted_prompt, run, search_settings, task_of

FREE = MutationMode.REWEIGHT, MutationMode.PRUNE, MutationMode.CROSSOVER, MutationMode.GATHER


def states_of(context: SearchContext) -> list[SearchState]:
    """Return the state after generation 0, 1, …"""

    async def go() -> list[SearchState]:
        states = [await start_search(context)]
        for _ in range(context.structure.generations):
            states.append(await advance_search(context, states[-1]))
        return states

    return asyncio.run(go())


def bred(context: SearchContext, modes: list[MutationMode]) -> tuple[SearchState, SearchState, list[GradeRequest]]:
    """Return the state before and after one round of these modes, and the grading that it asked for."""
    (before,) = states_of(replace(context, structure=context.structure.model_copy(update={"generations": 0})))
    asked = len(context.roles.verifier.requests)
    after = asyncio.run(run_generation(context, before, Selection([before.best], modes)))
    return before, after, context.roles.verifier.requests[asked:]


def task_with(
    proposer: object = None, verifier: FakeVerifier | None = None, generations: int = 3, **changes: dict[str, object]
) -> SearchContext:
    roles = Roles(FakeInitializer(), proposer or FakeProposer(), verifier or FakeVerifier(0.3), FakeJudge())
    return task_of(planted_prompt(10, kinds=10, seed=2), roles, search_settings(**changes), generations=generations)


def saying(*names: str) -> ScriptedProposer:
    return ScriptedProposer(lambda request: Proposal(tuple(criterion(name) for name in names)))


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

    states_of(task_with(Proposing(), Grading(), generations=1, initializer={"initial_proposals": 0}))

    first, last = events.index("propose"), len(events) - events[::-1].index("propose") - 1
    assert events[first : last + 1] == ["propose"] * 3


def test_new_criteria_of_all_siblings_share_one_request_for_each_candidate_and_vote() -> None:
    proposer = ScriptedProposer(lambda request: Proposal((criterion(f"a{2 + request.attempt % 1000}"),)))
    context = task_with(
        proposer, evolution={"racing": False}, initializer={"initial_proposals": 0}, grading={"num_votes": 2}
    )

    _, after, asked = bred(context, [MutationMode.RAISE_BAR] * 3)

    places = Counter((request.candidate_text, request.vote) for request in asked)
    assert set(places.values()) == {1}
    assert len(places) == 8 * 2
    assert {len(request.criteria) for request in asked} == {3}
    assert all([c.key for c in request.criteria] == sorted(c.key for c in request.criteria) for request in asked)
    assert after.last_calls.verifier == 16


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 5), st.sampled_from(["pooled", "per_rubric", "per_criterion"]), st.booleans(), st.integers(0, 9))
def test_no_request_is_too_large_and_no_grade_is_asked_for_twice(
    per_call: int, grading: str, racing: bool, seed: int
) -> None:
    verifier = FakeVerifier(0.3)
    told = search_settings(
        seed=seed, grading={"grading": grading, "criteria_per_call": per_call}, evolution={"racing": racing}
    )
    roles = replace(fake_roles(), verifier=verifier)

    run(task_of(planted_prompt(6, kinds=9, seed=seed), roles, told, generations=2))

    asked = [(c.key, request.candidate_text, request.vote) for request in verifier.requests for c in request.criteria]
    assert max(len(request.criteria) for request in verifier.requests) <= (
        1 if grading == "per_criterion" else per_call
    )
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize(
    "said",
    [
        [criterion("  A0 "), Criterion(criterion_id="later", text="a1", weight=7, criterion_type="style")],
        [Criterion(criterion_id="x", text="A1"), Criterion(criterion_id="y", text="a0")],
    ],
)
def test_naming_and_ordering_anew_what_is_known_makes_no_child_and_costs_no_grade(said: list[Criterion]) -> None:
    context = task_with(
        ScriptedProposer(lambda request: Proposal(tuple(said), ("a0", "a1"))),
        evolution={"free_modes": ()},
        initializer={"initial_proposals": 0},
    )

    before, after, asked = bred(context, [MutationMode.RAISE_BAR] * 3)

    assert asked == []
    assert after.population == before.population


def test_new_weights_cost_no_call_of_any_role() -> None:
    context = task_with(initializer={"initial_proposals": 0}, evolution={"free_modes": FREE})

    before, after, asked = bred(context, [MutationMode.WEIGHT_PERTURB] * 4)

    assert asked == []
    assert context.roles.proposer.requests == []
    assert after.last_calls.total == 0
    assert len(after.population) > len(before.population)


def test_a_criterion_that_comes_back_finds_its_grades() -> None:
    def script(request: ProposeRequest) -> Proposal:
        return Proposal((criterion("a5" if request.attempt // 1000 != 2 else "a6"),))

    context = task_with(ScriptedProposer(script), evolution={"racing": False, "population_size": 1, "free_modes": ()})

    states_of(context)

    asked = Counter(
        (c.text, request.candidate_text) for request in context.roles.verifier.requests for c in request.criteria
    )
    assert set(asked.values()) == {1}
    assert {text for text, _ in asked} == {"a0", "a1", "a5", "a6"}


def test_requests_are_counted_as_they_are_made() -> None:
    context = task_with(verifier=FakeVerifier(0.3, failing=0.2))

    states = states_of(context)

    calls = states[-1].calls
    assert calls.initializer == len(context.roles.initializer.requests) == 1
    assert calls.proposer == len(context.roles.proposer.requests)
    assert calls.verifier == len(context.roles.verifier.requests)
    assert calls == sum((state.last_calls for state in states[1:]), states[0].calls)
    assert [milestone.calls for milestone in states[-1].history] == [state.last_calls.total for state in states]


def test_children_are_made_from_every_parent_by_the_modes_of_the_schedule() -> None:
    context = task_with(
        evolution={"mutations_per_round": 6, "mutation_parent_count": 3},
        mutation={"adaptive_mutation": "fixed"},
        initializer={"initial_proposals": 3},
        generations=1,
    )
    first, _ = states_of(context)

    asked = [request for request in context.roles.proposer.requests if request.attempt >= 1000]
    assert [request.mode for request in asked] == [m for m in SCHEDULED if m is not MutationMode.WEIGHT_PERTURB]
    assert [request.attempt for request in asked] == [1000, 1001, 1002, 1003, 1004]
    parents = [individual.rubric for individual in first.population[:3]]
    assert [request.parent for request in asked] == [parents[i % 3] for i in range(5)]


def test_siblings_of_one_parent_look_at_different_pairs() -> None:
    context = task_with(initializer={"initial_proposals": 4}, mutation={"contrast_pairs": 1}, generations=0)

    states_of(context)

    shown = [request.pairs[0] for request in context.roles.proposer.requests]
    assert len({(pair.better_text, pair.worse_text) for pair in shown}) == 4


def test_a_mode_gets_credit_for_its_own_childs_gain_over_its_own_parent() -> None:
    states = states_of(task_with(evolution={"mutations_per_round": 6, "mutation_parent_count": 3}))

    objectives = {ancestor.fingerprint: ancestor.objective for ancestor in states[-1].ancestors}
    children = [ancestor for ancestor in states[-1].ancestors if ancestor.operator in set(SCHEDULED)]
    assert children
    for child in children:
        (parent,) = child.parents
        # A child that lost its race was never evaluated, and gained nothing.
        expected = 0.0 if child.objective is None else child.objective - objectives[parent]
        assert child.gain == pytest.approx(expected)


def test_the_way_from_the_first_rubric_to_the_best_can_be_told() -> None:
    states = states_of(task_with(evolution={"free_modes": FREE}, generations=4))
    known = {ancestor.fingerprint: ancestor for ancestor in states[-1].ancestors}

    assert len(known) == len(states[-1].ancestors), "every rubric once"
    for individual in states[-1].population:
        assert known[individual.fingerprint].parents == individual.parents
    for ancestor in states[-1].ancestors[1:]:
        assert ancestor.parents
        assert all(known[name].generation <= ancestor.generation for name in ancestor.parents)
        assert sum(ancestor.weights.values()) == pytest.approx(1)
    order = [ancestor.fingerprint for ancestor in states[-1].ancestors]
    assert all(
        order.index(name) < order.index(ancestor.fingerprint)
        for ancestor in states[-1].ancestors
        for name in ancestor.parents
    )


def test_what_was_made_and_what_was_kept_is_told_by_operator() -> None:
    first, second = states_of(task_with(evolution={"free_modes": FREE}, generations=1))
    names = {individual.fingerprint for individual in second.population}
    new = second.ancestors[len(first.ancestors) :]

    assert second.tried == dict(sorted(Counter(one.operator for one in new).items()))
    assert second.kept == dict(sorted(Counter(one.operator for one in new if one.fingerprint in names).items()))


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 100),
    noise=st.sampled_from([0.0, 0.5, 1.5]),
    pairs=st.sampled_from(["tail_weighted", "tail_touching", "rubric_tail"]),
    evolution=st.fixed_dictionaries(
        {
            "population_size": st.integers(1, 6),
            "elitism_count": st.integers(1, 4),
            "mutations_per_round": st.integers(0, 5),
            "mutation_parent_count": st.integers(1, 4),
            "racing": st.booleans(),
            "max_criteria": st.integers(1, 6),
            "free_modes": st.lists(st.sampled_from(FREE), unique=True).map(tuple),
        }
    ),
)
def test_the_best_never_gets_worse_elites_stay_and_nothing_is_there_twice(
    seed: int, noise: float, pairs: str, evolution: dict[str, Any]
) -> None:
    roles = replace(fake_roles(), verifier=FakeVerifier(noise))
    told = search_settings(
        seed=seed, evolution=evolution, objective={"pairs": pairs}, grading={"num_votes": 1 + seed % 2}
    )
    context = task_of(planted_prompt(7, kinds=8, seed=seed), roles, told, generations=4)

    states = states_of(context)

    for before, after in pairwise(states):
        names = [individual.fingerprint for individual in after.population]
        elites = before.population[: min(evolution["elitism_count"], evolution["population_size"] - 1)]
        assert after.best.evaluation.objective >= before.best.evaluation.objective - 1e-12
        assert {individual.fingerprint for individual in elites} <= set(names)
        assert len(set(names)) == len(names) <= max(evolution["population_size"], len(before.population))
        assert list(after.population) == by_merit(after.population)
    for individual in states[-1].population:
        assert len(individual.rubric.criteria) <= max(
            evolution["max_criteria"], len(states[0].initial.rubric.criteria) + 1
        )
        assert Rubric.model_validate(individual.rubric.model_dump()) == individual.rubric
    again = context.graded(states[-1].bank).evaluate([individual.rubric for individual in states[-1].population])
    for individual, evaluation in zip(states[-1].population, again, strict=True):
        assert individual.evaluation == pytest.approx(evaluation), "evaluated on the same pairs and votes"


class DeafTo(FakeVerifier):
    """Leaves one criterion ungraded on one candidate."""

    criterion_text = "a9"
    until = 10_000

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        graded = dict(await super().grade(request))
        if len(self.requests) < self.until and attributes(request.candidate_text)["a0"] > 0.5:
            graded.pop(criterion(self.criterion_text).key, None)
        return graded


def test_an_incomplete_child_never_displaces_a_complete_rubric() -> None:
    # a9 is the best criterion there is, but for the grades that are missing.
    context = task_with(
        saying("a9"),
        DeafTo(),
        evolution={"population_size": 1, "racing": False, "free_modes": ()},
        initializer={"initial_proposals": 0},
    )

    states = states_of(context)

    assert all(state.best == states[0].best for state in states)
    assert states[1].last_calls.ungraded > 0


def test_what_stayed_ungraded_is_asked_for_again_and_then_counts() -> None:
    verifier = FlakyVerifier(unread=3)
    states = states_of(task_with(verifier=verifier, initializer={"initial_proposals": 0}, generations=1))

    first, second = states
    assert first.calls.failed == 3
    assert all(individual.evaluation.is_complete for individual in second.population)
    assert second.last_calls.ungraded == 0


def test_a_search_whose_replies_often_cannot_be_read_still_ends_with_a_complete_best() -> None:
    class Moody(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            if chance(len(self.requests), "mood") < 0.4:
                self.requests.append(request)
                return {}
            return await super().grade(request)

    state, conclusion = run(task_with(verifier=Moody(0.3), generations=4, evolution={"free_modes": FREE}))

    assert state.calls.ungraded > 0
    assert state.best.evaluation.is_complete
    assert conclusion.measured_rubric.criteria


def test_when_nothing_at_all_can_be_graded_the_first_rubric_is_the_answer() -> None:
    class Mute(FakeVerifier):
        async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
            self.requests.append(request)
            return {}

    state, conclusion = run(task_with(verifier=Mute(), evolution={"free_modes": FREE}))

    assert not any(individual.evaluation.is_complete for individual in state.population)
    assert set(conclusion.candidate_scores.values()) == {None}
    assert conclusion.measured_rubric.criteria


@dataclass
class MumblingProposer(FakeProposer):
    """Never says anything that can be read."""

    async def propose(self, request: ProposeRequest) -> Proposal:
        raise ReplyError("mumble")


@pytest.mark.parametrize(("proposer", "failed"), [(MumblingProposer(), 3), (ScriptedProposer(lambda request: None), 0)])
def test_a_proposer_that_cannot_be_read_has_failed_and_one_with_nothing_new_to_say_has_not(
    proposer: Proposer, failed: int
) -> None:
    context = task_with(proposer, evolution={"free_modes": ()}, generations=1)

    first, second = states_of(context)

    assert second.population == first.population == (first.initial,)
    assert (second.last_calls.proposer, second.last_calls.failed) == (3, failed)


def test_two_siblings_that_say_the_same_are_one_child() -> None:
    context = task_with(
        saying("a5"), evolution={"free_modes": (), "racing": False}, initializer={"initial_proposals": 0}
    )

    _, after, asked = bred(context, [MutationMode.RAISE_BAR] * 3)

    assert after.tried == {"raise_bar": 1}
    assert len(asked) == 8


def test_a_population_of_one_and_a_single_parent_are_enough() -> None:
    for strategy in ("rank", "tournament", "top_k", "pareto"):
        context = task_with(
            evolution={"population_size": 1, "mutation_parent_count": 5}, selection={"selection_strategy": strategy}
        )

        assert len(states_of(context)[-1].population) == 1


def test_measured_criteria_take_part_without_a_call() -> None:
    measured = Criterion(criterion_id="long", text="is long", measure="min_words(8)")
    context = task_with(
        ScriptedProposer(lambda request: Proposal((measured,))),
        evolution={"free_modes": (), "racing": True},
        initializer={"initial_proposals": 0},
    )

    _, after, asked = bred(context, [MutationMode.RAISE_BAR])

    assert asked == []
    assert after.bank.has(measured.key, 0, 0)
    assert after.ancestors[-1].operator == "raise_bar"
