"""A generation selects parents, credits mutation modes and never loses its best individual."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Rubric
from autosr_lib.search.population import by_merit
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.schedule import SCHEDULED
from tests.fakes import (
    FakeVerifier,
    fake_roles,
)
from tests.search.generations import FREE, context_with, generation_of, proposing
from tests.worlds import context_of, planted_prompt, search_settings, states_of


def test_children_are_made_from_every_parent_by_the_modes_of_the_schedule() -> None:
    context = context_with(
        evolution={"mutations_per_round": 6, "mutation_parent_count": 3},
        mutation={"adaptive_mutation": "fixed"},
        initializer={"initial_proposals": 3},
        generations=1,
    )
    first, _ = states_of(context)

    requests = [request for request in context.roles.proposer.requests if request.attempt >= 1000]
    assert [request.mode for request in requests] == [m for m in SCHEDULED if m is not MutationMode.WEIGHT_PERTURB]
    assert [request.attempt for request in requests] == [1000, 1001, 1002, 1003, 1004]
    parents = [individual.rubric for individual in first.population[:3]]
    assert [request.parent for request in requests] == [parents[i % 3] for i in range(5)]


def test_siblings_of_one_parent_are_shown_different_pairs() -> None:
    context = context_with(initializer={"initial_proposals": 4}, mutation={"contrast_pairs": 1}, generations=0)

    states_of(context)

    shown = [request.pairs[0] for request in context.roles.proposer.requests]
    assert len({(pair.better_text, pair.worse_text) for pair in shown}) == 4


def test_a_mode_gets_credit_for_its_own_childs_gain_over_its_own_parent() -> None:
    states = states_of(context_with(evolution={"mutations_per_round": 6, "mutation_parent_count": 3}))

    objectives = {ancestor.fingerprint: ancestor.objective for ancestor in states[-1].ancestors}
    children = [ancestor for ancestor in states[-1].ancestors if ancestor.operator in set(SCHEDULED)]
    assert children
    for child in children:
        (parent,) = child.parents
        # A child that lost its race was never evaluated, and gained nothing.
        expected = 0.0 if child.objective is None else child.objective - objectives[parent]
        assert child.gain == pytest.approx(expected)


def test_the_lineage_of_every_individual_is_recorded() -> None:
    states = states_of(context_with(evolution={"free_modes": FREE}, generations=4))
    by_fingerprint = {ancestor.fingerprint: ancestor for ancestor in states[-1].ancestors}

    assert len(by_fingerprint) == len(states[-1].ancestors), "every rubric once"
    for individual in states[-1].population:
        assert by_fingerprint[individual.fingerprint].parents == individual.parents
    for ancestor in states[-1].ancestors[1:]:
        assert ancestor.parents
        assert all(by_fingerprint[name].generation <= ancestor.generation for name in ancestor.parents)
        assert sum(ancestor.weights.values()) == pytest.approx(1)
    order = [ancestor.fingerprint for ancestor in states[-1].ancestors]
    assert all(
        order.index(name) < order.index(ancestor.fingerprint)
        for ancestor in states[-1].ancestors
        for name in ancestor.parents
    )


def test_created_and_surviving_individuals_are_counted_by_operator() -> None:
    first, second = states_of(context_with(evolution={"free_modes": FREE}, generations=1))
    names = {individual.fingerprint for individual in second.population}
    new = second.ancestors[len(first.ancestors) :]

    assert second.tried == dict(sorted(Counter(individual.operator for individual in new).items()))
    assert second.kept == dict(
        sorted(Counter(individual.operator for individual in new if individual.fingerprint in names).items())
    )


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
def test_the_best_never_gets_worse_elites_survive_and_no_rubric_occurs_twice(
    seed: int, noise: float, pairs: str, evolution: dict[str, Any]
) -> None:
    roles = replace(fake_roles(), verifier=FakeVerifier(noise))
    chosen_settings = search_settings(
        seed=seed, evolution=evolution, objective={"pairs": pairs}, grading={"num_votes": 1 + seed % 2}
    )
    context = context_of(planted_prompt(7, kinds=8, seed=seed), roles, chosen_settings, generations=4)

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


def test_two_equal_siblings_are_one_child() -> None:
    context = context_with(
        proposing("a5"), evolution={"free_modes": (), "racing": False}, initializer={"initial_proposals": 0}
    )

    _, after, requests = generation_of(context, [MutationMode.RAISE_BAR] * 3)

    assert after.tried == {"raise_bar": 1}
    assert len(requests) == 8


def test_a_population_of_one_can_be_searched() -> None:
    for strategy in ("rank", "tournament", "top_k", "pareto"):
        context = context_with(
            evolution={"population_size": 1, "mutation_parent_count": 5}, selection={"selection_strategy": strategy}
        )

        assert len(states_of(context)[-1].population) == 1
