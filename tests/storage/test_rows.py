"""What is written is what is read: every value of the search goes through its table and back."""

import asyncio
import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.evaluation.objective import Evaluation
from autosr_lib.evaluation.reference import PromptPreferences
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.evaluation.settings import JudgeSetting
from autosr_lib.search.context import SearchContext
from autosr_lib.search.population import Ancestor, Individual
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import Calls, Milestone, SearchState, StopReason
from autosr_lib.storage.rows import (
    best_table,
    carried_table,
    common,
    dataset_batches,
    lineage,
    population_table,
    preferences_table,
    read_preferences,
    read_prompt,
    read_rubric,
    read_state,
    rubric_rows,
    unsuccessful,
)
from autosr_lib.storage.tables import BEST, DATASET, POPULATION, PREFERENCES, Status
from tests.fakes import FakeVerifier, FlakyVerifier, fake_roles, rubric
from tests.worlds import context_of, planted_prompt, preferences_of, run, search_settings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text(st.characters(codec="utf-8"))
METADATA = st.dictionaries(TEXT, JSON, max_size=3)
CANDIDATES = st.lists(
    st.builds(Candidate, candidate_id=TEXT.filter(bool), text=TEXT, source=TEXT, metadata=METADATA),
    max_size=4,
    unique_by=lambda candidate: candidate.candidate_id,
).map(tuple)
PROMPTS = st.builds(Prompt, prompt_id=TEXT.filter(bool), prompt=TEXT, candidates=CANDIDATES, metadata=METADATA)


def through_a_file(table: pa.Table) -> pa.Table:
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(file)


def again(state: SearchState) -> SearchState:
    return read_state(through_a_file(population_table("p1", "input", state, Status.DONE)))


def assert_same(one: SearchState, other: SearchState) -> None:
    assert replace(one, bank=other.bank) == other
    assert one.bank.entries() == other.bank.entries()
    assert one.bank.criteria == other.bank.criteria
    assert list(one.bank.criteria) == list(other.bank.criteria)
    assert (one.bank.candidates, one.bank.votes) == (other.bank.candidates, other.bank.votes)


def states_of(context: SearchContext) -> list[SearchState]:
    async def go() -> list[SearchState]:
        states = [await start_search(context)]
        for _ in range(context.structure.generations):
            states.append(await advance_search(context, states[-1]))
        return states

    return asyncio.run(go())


@settings(deadline=None, max_examples=50)
@given(PROMPTS)
def test_any_prompt_comes_back_from_its_row(prompt: Prompt) -> None:
    (row,) = through_a_file(pa.Table.from_batches(dataset_batches([prompt]))).to_pylist()

    assert read_prompt(row) == prompt
    assert row["fingerprint"] == prompt.fingerprint
    assert row["status"] == "done"


def test_a_prompt_that_has_left_the_dataset_is_kept_and_marked() -> None:
    here, gone = planted_prompt(4, prompt_id="here"), planted_prompt(4, prompt_id="gone")

    rows = pa.Table.from_batches(dataset_batches([here], withdrawn=[gone])).to_pylist()

    assert [(row["prompt_id"], row["status"]) for row in rows] == [("here", "done"), ("gone", "withdrawn")]


@given(
    st.sampled_from([JudgeSetting.RANK, JudgeSetting.QUALITY, JudgeSetting.MODEL]),
    st.lists(
        st.builds(
            Preference,
            first=TEXT,
            second=TEXT,
            verdict=st.sampled_from(Verdict),
            forward=st.none() | st.sampled_from(Verdict),
            backward=st.none() | st.sampled_from(Verdict),
        ),
        max_size=5,
    ).map(tuple),
    st.integers(0, 99),
    st.integers(0, 9),
)
def test_any_preferences_come_back_from_their_table(
    judge: JudgeSetting, preferences: tuple[Preference, ...], calls: int, unjudged: int
) -> None:
    known = PromptPreferences(judge, preferences, calls, unjudged)

    table = through_a_file(preferences_table("p", "input", known, frozenset()))

    assert read_preferences(table) == known
    assert table.column("status")[0].as_py() == ("incomplete" if unjudged else "done")


def test_preferences_say_which_pairs_touch_a_hidden_candidate() -> None:
    known = preferences_of(planted_prompt(3))

    rows = preferences_table("p1", "input", known, frozenset({"c2"})).to_pylist()

    assert [row["touches_hidden"] for row in rows] == [False, True, True]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("failing", [0.0, 0.3])
@pytest.mark.parametrize("votes", [1, 3])
def test_the_state_after_any_generation_comes_back_from_its_table(mode: Mode, failing: float, votes: int) -> None:
    for seed in range(3):
        told = search_settings(
            seed=seed,
            grading={"num_votes": votes},
            evolution={"free_modes": ("reweight", "prune", "crossover", "gather"), "population_size": 3},
            stop={"stagnation_generations": 1},
        )
        context = context_of(planted_prompt(7, seed=seed), fake_roles(0.5, failing), told, generations=4, mode=mode)

        for state in states_of(context):
            assert_same(again(state), state)


def test_a_first_rubric_that_has_left_the_population_comes_back_too() -> None:
    context = context_of(planted_prompt(8, seed=2), fake_roles(), search_settings(evolution={"population_size": 1}))

    state = states_of(context)[-1]

    assert state.initial.fingerprint != state.best.fingerprint
    assert_same(again(state), state)
    places = population_table("p1", "input", state, Status.DONE).column("place").to_pylist()
    assert places == [0, None]


@pytest.mark.parametrize("population_size", [1, 5])
def test_rows_that_are_carried_along_are_those_of_the_carried_state(population_size: int) -> None:
    told = search_settings(evolution={"population_size": population_size})
    state = states_of(context_of(planted_prompt(8, seed=2), fake_roles(), told))[-1]
    stored = through_a_file(population_table("p1", "before", state, Status.DONE))

    carried = carried_table(stored, "after", Status.INCOMPLETE)

    wanted = population_table("p1", "after", state.skip_generation(), Status.INCOMPLETE)
    assert carried.equals(wanted)
    assert carried.schema.equals(wanted.schema, check_metadata=True)


def test_a_first_rubric_that_was_made_a_second_time_is_not_taken_for_the_first() -> None:
    (state,) = states_of(context_of(planted_prompt(8), fake_roles(), generations=0))
    twin = replace(state.initial, operator="crossover", generation=3, parents=("x", "y"), gain=0.1)

    renewed = replace(state, population=(twin,))

    assert_same(again(renewed), renewed)
    assert again(renewed).initial.operator == "initial"


def test_what_does_not_apply_and_what_is_ungraded_come_back_as_they_are() -> None:
    class Shrugging(FakeVerifier):
        async def grade(self, request: GradeRequest) -> dict[str, Grade]:
            graded = dict(await super().grade(request))
            first, *_ = graded
            return {**graded, first: Grade(None)} if "a0=0.6" in request.candidate_text else graded

    roles = replace(fake_roles(), verifier=Shrugging(0.2))
    (state,) = states_of(context_of(planted_prompt(8), roles, generations=0))

    assert None in {entry.value for entry in state.bank.entries()}
    assert_same(again(state), state)


def test_grades_that_were_lost_are_still_lost_after_reading() -> None:
    roles = replace(fake_roles(), verifier=FlakyVerifier(unread=10_000))
    (state,) = states_of(context_of(planted_prompt(6), roles, generations=0))

    assert again(state).bank.entries() == state.bank.entries() == []
    assert not again(state).best.evaluation.is_complete


EVALUATIONS = st.builds(
    Evaluation,
    *[st.floats(-1, 2)] * 7,
    pairs=st.integers(0, 99),
    effective_pairs=st.floats(0, 99),
    top_margin=st.floats(-1, 1),
    has_right_top=st.booleans(),
    is_complete=st.booleans(),
)
CRITERIA = st.builds(
    Criterion,
    criterion_id=TEXT.filter(bool),
    text=TEXT.filter(lambda text: bool(text.strip())),
    weight=st.floats(0, 1e6),
    criterion_type=TEXT,
    check_points=st.lists(TEXT, max_size=2).map(tuple),
    positive_examples=st.lists(TEXT, max_size=2).map(tuple),
    negative_examples=st.lists(TEXT, max_size=2).map(tuple),
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
        tuple(Ancestor.of(one) for one in population),
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
    assert_same(again(state), state)


@given(st.lists(CRITERIA, min_size=1, max_size=4, unique_by=lambda c: c.criterion_id))
def test_any_rubric_comes_back_from_its_rows_with_its_shares(criteria: list[Criterion]) -> None:
    one = Rubric(criteria=tuple(criteria))

    back = read_rubric(rubric_rows(one))

    assert back.weights == one.weights
    assert back.fingerprint == one.fingerprint
    assert [c.model_copy(update={"weight": 1.0}) for c in back.criteria] == [
        c.model_copy(update={"weight": 1.0}) for c in one.criteria
    ]


@pytest.mark.parametrize("schema", [POPULATION, BEST, PREFERENCES])
def test_a_prompt_that_failed_has_one_row_that_says_why(schema: pa.Schema) -> None:
    (row,) = through_a_file(unsuccessful(schema, "p1", "input", Status.FAILED, "no rubric")).to_pylist()

    assert (row["prompt_id"], row["status"], row["error"]) == ("p1", "failed", "no rubric")
    assert {value for name, value in row.items() if name not in common("", "")} == {None}


@pytest.mark.parametrize("schema", [DATASET, POPULATION, BEST, PREFERENCES])
def test_every_column_says_what_it_holds(schema: pa.Schema) -> None:
    assert all(field.metadata and field.metadata[b"description"] for field in schema)


def test_the_row_of_the_best_holds_what_the_conclusion_says() -> None:
    context = context_of(planted_prompt(12, kinds=8), fake_roles(noise=0.4))
    state, conclusion = run(context)

    table = best_table(
        "p1", "input", state, conclusion, context.prepared.preferences, context.prepared.hidden_ids, Status.DONE
    )

    (row,) = through_a_file(table).to_pylist()
    assert read_rubric(row["rubric"]).weights == pytest.approx(conclusion.rubric.weights)
    assert read_rubric(row["measured_rubric"]) == conclusion.measured_rubric
    assert read_rubric(row["initial_rubric"]) == state.initial.rubric
    assert Evaluation(**row["best"]) == conclusion.best.fresh
    assert Evaluation(**row["initial"]) == conclusion.initial.fresh
    assert {one["candidate_id"]: one["score"] for one in row["candidate_scores"]} == conclusion.candidate_scores
    assert {one["candidate_id"] for one in row["candidate_scores"] if one["is_hidden"]} == context.prepared.hidden_ids
    assert (row["holdout_pairs"], row["holdout_initial"], row["holdout_best"]) == conclusion.holdout.touching
    assert Calls(**row["calls"]) == state.calls + conclusion.calls
    assert (row["stopped"], row["generations"], row["judge"]) == ("generations", 3, "quality")
    assert tuple(Milestone(**one) for one in row["history"]) == state.history


def test_the_lineage_leads_from_the_first_rubric_to_the_best() -> None:
    state, conclusion = run(context_of(planted_prompt(12, kinds=8), fake_roles(noise=0.4)))

    way = lineage(state, conclusion.best.individual.fingerprint)

    assert way[0].fingerprint == state.initial.fingerprint
    assert way[-1].fingerprint == conclusion.best.individual.fingerprint
    told = {one.fingerprint for one in way}
    assert all(set(one.parents) <= told for one in way)
    assert [one.generation for one in way] == sorted(one.generation for one in way)


def test_a_rubric_that_nobody_made_has_no_lineage() -> None:
    state, _ = run(context_of(planted_prompt(8), fake_roles(), generations=0))

    assert lineage(state, rubric("nobody").fingerprint) == []
