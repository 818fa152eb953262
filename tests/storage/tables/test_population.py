"""The state of a search comes back from the table of its population as it was."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.evaluation.objective import Evaluation
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.population import Ancestor, Individual
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import Calls, Milestone, SearchState, StopReason
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.population import carried_table, population_table, read_state
from tests.fakes import FakeVerifier, FlakyVerifier, fake_roles
from tests.storage.tables.values import CRITERIA, TEXT, through_a_file
from tests.worlds import context_of, planted_prompt, search_settings, states_of


def through_its_table(state: SearchState) -> SearchState:
    return read_state(through_a_file(population_table("p1", "input", state, Status.DONE)))


def assert_same(actual: SearchState, expected: SearchState) -> None:
    assert replace(actual, bank=expected.bank) == expected
    assert actual.bank.entries() == expected.bank.entries()
    assert actual.bank.criteria == expected.bank.criteria
    assert list(actual.bank.criteria) == list(expected.bank.criteria)
    assert (actual.bank.candidates, actual.bank.votes) == (expected.bank.candidates, expected.bank.votes)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("failing", [0.0, 0.3])
@pytest.mark.parametrize("votes", [1, 3])
def test_the_state_after_any_generation_comes_back_from_its_table(mode: Mode, failing: float, votes: int) -> None:
    for seed in range(3):
        run_settings = search_settings(
            seed=seed,
            grading={"num_votes": votes},
            evolution={"free_modes": ("reweight", "prune", "crossover", "gather"), "population_size": 3},
            stop={"stagnation_generations": 1},
        )
        context = context_of(
            planted_prompt(7, seed=seed), fake_roles(0.5, failing), run_settings, generations=4, mode=mode
        )

        for state in states_of(context):
            assert_same(through_its_table(state), state)


def test_a_first_rubric_that_has_left_the_population_comes_back_too() -> None:
    context = context_of(planted_prompt(8, seed=2), fake_roles(), search_settings(evolution={"population_size": 1}))

    state = states_of(context)[-1]

    assert state.initial.fingerprint != state.best.fingerprint
    assert_same(through_its_table(state), state)
    positions = population_table("p1", "input", state, Status.DONE).column("place").to_pylist()
    assert positions == [0, None]


@pytest.mark.parametrize("population_size", [1, 5])
def test_rows_that_are_carried_along_are_those_of_the_carried_state(population_size: int) -> None:
    run_settings = search_settings(evolution={"population_size": population_size})
    state = states_of(context_of(planted_prompt(8, seed=2), fake_roles(), run_settings))[-1]
    stored = through_a_file(population_table("p1", "before", state, Status.DONE))

    carried = carried_table(stored, "after", Status.INCOMPLETE)

    wanted = population_table("p1", "after", state.skip_generation(), Status.INCOMPLETE)
    assert carried.equals(wanted)
    assert carried.schema.equals(wanted.schema, check_metadata=True)


def test_a_first_rubric_that_was_made_a_second_time_is_not_taken_for_the_first() -> None:
    (state,) = states_of(context_of(planted_prompt(8), fake_roles(), generations=0))
    twin = replace(state.initial, operator="crossover", generation=3, parents=("x", "y"), gain=0.1)

    renewed = replace(state, population=(twin,))

    assert_same(through_its_table(renewed), renewed)
    assert through_its_table(renewed).initial.operator == "initial"


def test_what_does_not_apply_and_what_is_ungraded_come_back_as_they_are() -> None:
    class Shrugging(FakeVerifier):
        async def grade(self, request: GradeRequest) -> dict[str, Grade]:
            graded = dict(await super().grade(request))
            first, *_ = graded
            return {**graded, first: Grade(None)} if "a0=0.6" in request.candidate_text else graded

    roles = replace(fake_roles(), verifier=Shrugging(0.2))
    (state,) = states_of(context_of(planted_prompt(8), roles, generations=0))

    assert None in {entry.value for entry in state.bank.entries()}
    assert_same(through_its_table(state), state)


def test_grades_that_were_lost_are_still_lost_after_reading() -> None:
    roles = replace(fake_roles(), verifier=FlakyVerifier(unread=10_000))
    (state,) = states_of(context_of(planted_prompt(6), roles, generations=0))

    assert through_its_table(state).bank.entries() == state.bank.entries() == []
    assert not through_its_table(state).best.evaluation.is_complete


EVALUATIONS = st.builds(
    Evaluation,
    *[st.floats(-1, 2)] * 7,
    pairs=st.integers(0, 99),
    effective_pairs=st.floats(0, 99),
    top_margin=st.floats(-1, 1),
    has_right_top=st.booleans(),
    is_complete=st.booleans(),
)


@st.composite
def any_states(draw: st.DrawFn) -> SearchState:
    """Return a state of random parts; its bank knows every criterion in the words of its rubrics."""
    pool = draw(st.lists(CRITERIA, min_size=1, max_size=5, unique_by=(lambda c: c.key, lambda c: c.criterion_id)))
    bank = GradeBank(3, 2).with_criteria(pool, ("", ("", "", "")))
    grades = st.tuples(st.sampled_from(pool), st.integers(0, 2), st.integers(0, 1), st.none() | st.floats(0, 1))
    bank = bank.with_entries(BankEntry(c.key, *rest) for c, *rest in draw(st.lists(grades, max_size=9)))

    def individual(number: int) -> Individual:
        criteria = draw(st.lists(st.sampled_from(pool), min_size=1, unique_by=lambda c: c.key))
        plain = Rubric(criteria=tuple(criteria))
        shares = (c.model_copy(update={"weight": w}) for c, w in zip(criteria, plain.weights, strict=True))
        parents = tuple(draw(st.lists(TEXT, max_size=2)))
        gain = draw(st.none() | st.floats(-1, 1))
        return Individual(Rubric(criteria=tuple(shares)), draw(EVALUATIONS), f"mode {number}", number, parents, gain)

    population = tuple(individual(number) for number in range(1, draw(st.integers(2, 4))))
    initial = population[0] if draw(st.booleans()) else individual(0)
    calls = st.builds(Calls, *[st.integers(0, 99)] * 7)
    return SearchState(
        draw(st.integers(0, 99)),
        population,
        initial,
        bank,
        tuple(Ancestor.of(individual) for individual in population),
        draw(calls),
        draw(calls),
        draw(st.dictionaries(TEXT, st.integers(0, 9), max_size=2)),
        draw(st.dictionaries(TEXT, st.integers(0, 9), max_size=2)),
        draw(st.integers(0, 9)),
        draw(st.integers(0, 9)),
        draw(st.none() | st.sampled_from(StopReason)),
        tuple(
            draw(
                st.lists(
                    st.builds(Milestone, st.floats(-1, 2), st.floats(-1, 2), st.floats(0, 1), st.integers(0, 99)),
                    max_size=3,
                )
            )
        ),
    )


@settings(deadline=None, max_examples=60)
@given(any_states())
def test_any_state_comes_back_from_its_table(state: SearchState) -> None:
    assert_same(through_its_table(state), state)
