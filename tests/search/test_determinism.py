"""A search is deterministic: the order of replies and interruptions do not affect it."""

import asyncio
import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import ReferenceSettings
from autosr_lib.search.conclusion import Conclusion, conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.search import advance_search, start_search
from autosr_lib.search.settings import Mode, SearchSettings
from autosr_lib.search.state import SearchState
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.population import population_table, read_state
from tests.fakes import delayed_roles, fake_roles
from tests.worlds import context_of, planted_prompt, preferences_of, run, search_prompt, search_settings

FREE = ("reweight", "prune", "crossover", "gather")
SEARCHES = st.builds(
    search_settings,
    seed=st.integers(0, 99),
    grading=st.fixed_dictionaries(
        {
            "grading": st.sampled_from(["pooled", "per_rubric", "per_criterion"]),
            "num_votes": st.integers(1, 2),
            "criteria_per_call": st.integers(1, 4),
        }
    ),
    evolution=st.fixed_dictionaries(
        {
            "racing": st.booleans(),
            "population_size": st.integers(1, 6),
            "free_modes": st.lists(st.sampled_from(FREE), unique=True).map(tuple),
        }
    ),
    selection=st.fixed_dictionaries({"selection_strategy": st.sampled_from(["rank", "tournament", "top_k", "pareto"])}),
    mutation=st.fixed_dictionaries(
        {"adaptive_mutation": st.sampled_from(["fixed", "success_feedback", "exploration_decay", "diversity_driven"])}
    ),
    stop=st.fixed_dictionaries({"stop_when_distinguished": st.booleans(), "stagnation_generations": st.integers(0, 2)}),
)


def stored(state: SearchState) -> SearchState:
    """Return the state as it comes back from a file."""
    file = io.BytesIO()
    pq.write_table(population_table("p1", "input", state, Status.DONE), file)
    return read_state(pq.read_table(file))


def searched_with_interruptions(context: SearchContext) -> tuple[SearchState, Conclusion]:
    """Return the result of a search that is stored and read again after every generation."""

    async def go() -> tuple[SearchState, Conclusion]:
        state = stored(await start_search(context))
        for _ in range(context.structure.generations):
            state = stored(await advance_search(context, state))
        return state, await conclude_search(context, state)

    return asyncio.run(go())


def without_bank(conclusion: Conclusion) -> Conclusion:
    """Return the conclusion without its bank, whose arrays cannot be compared with `==`."""
    return replace(conclusion, bank=None)


def are_equal(first: SearchState, second: SearchState) -> bool:
    return replace(first, bank=second.bank) == second and first.bank.entries() == second.bank.entries()


@settings(deadline=None, max_examples=25)
@given(SEARCHES, st.sampled_from(Mode), st.sampled_from([0.0, 0.25]))
def test_resuming_from_any_stored_generation_gives_the_same_result(
    search: SearchSettings, mode: Mode, failing: float
) -> None:
    prompt = planted_prompt(7, kinds=8, seed=search.seed)
    uninterrupted, resumed = fake_roles(noise=0.4, failing=failing), fake_roles(noise=0.4, failing=failing)

    state, conclusion = run(context_of(prompt, uninterrupted, search, mode=mode))
    other_state, other_conclusion = searched_with_interruptions(context_of(prompt, resumed, search, mode=mode))

    assert are_equal(state, other_state)
    assert without_bank(conclusion) == without_bank(other_conclusion)
    assert uninterrupted.proposer.requests == resumed.proposer.requests, "the requests are identical"
    assert uninterrupted.verifier.requests == resumed.verifier.requests


@settings(deadline=None, max_examples=25)
@given(SEARCHES, st.sampled_from(Mode), st.integers(0, 1000))
def test_the_order_of_replies_does_not_change_the_result(search: SearchSettings, mode: Mode, seed: int) -> None:
    prompt = planted_prompt(7, kinds=8, seed=search.seed)

    state, conclusion = run(context_of(prompt, fake_roles(noise=0.4), search, mode=mode))
    late_state, late_conclusion = run(context_of(prompt, delayed_roles(fake_roles(noise=0.4), seed), search, mode=mode))

    assert are_equal(state, late_state)
    assert without_bank(conclusion) == without_bank(late_conclusion)


@pytest.mark.parametrize("at_once", [1, 8, 64])
@pytest.mark.parametrize("order", [1, -1])
def test_neither_the_order_of_prompts_nor_concurrency_changes_the_result(at_once: int, order: int) -> None:
    prompts = [planted_prompt(6, kinds=6, seed=seed, prompt_id=f"p{seed}") for seed in range(5)]
    alone = {prompt.prompt_id: run(context_of(prompt, fake_roles(noise=0.4), generations=2)) for prompt in prompts}
    roles = delayed_roles(fake_roles(noise=0.4), seed=at_once)
    contexts = [context_of(prompt, roles, generations=2) for prompt in prompts[::order]]

    async def search_all() -> dict[str, tuple[SearchState, Conclusion]]:
        free = asyncio.Semaphore(at_once)

        async def search_one(context: SearchContext) -> tuple[SearchState, Conclusion]:
            async with free:
                return await search_prompt(context)

        outcomes = await asyncio.gather(*(search_one(context) for context in contexts))
        return {context.prepared.prompt.prompt_id: result for context, result in zip(contexts, outcomes, strict=True)}

    results = asyncio.run(search_all())

    for name, (state, conclusion) in alone.items():
        assert are_equal(results[name][0], state)
        assert without_bank(results[name][1]) == without_bank(conclusion)


def test_different_seeds_give_different_searches() -> None:
    prompt = planted_prompt(10, kinds=10)
    chosen = {"selection": {"selection_strategy": "tournament"}, "mutation": {"adaptive_mutation": "success_feedback"}}

    ends = {
        run(context_of(prompt, fake_roles(noise=0.4), search_settings(seed=seed, **chosen)))[0].best.fingerprint
        for seed in range(6)
    }

    assert len(ends) > 1


def test_the_judges_preferences_do_not_depend_on_the_order_of_its_replies() -> None:
    prompt = planted_prompt(9)
    unlabelled = prompt.model_copy(
        update={"candidates": tuple(candidate.model_copy(update={"metadata": {}}) for candidate in prompt.candidates)}
    )

    plain = preferences_of(unlabelled)
    late = asyncio.run(gather_preferences(unlabelled, ReferenceSettings(), delayed_roles(fake_roles(), 3).judge))

    assert late == plain


def test_a_state_is_stored_as_one_row_per_individual_with_shared_values_in_the_first_row() -> None:
    state, _ = run(context_of(planted_prompt(8), fake_roles(noise=0.4)))

    table: pa.Table = population_table("p1", "input", state, Status.DONE)

    rows = table.to_pylist()
    assert [row["place"] for row in rows if row["place"] is not None] == list(range(len(state.population)))
    assert sum(row["is_initial"] for row in rows) == 1
    assert rows[0]["bank"] is not None
    assert all(row["bank"] is None for row in rows[1:])
