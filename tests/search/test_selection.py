"""Parents are distinct, and every strategy terminates however few individuals there are."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.objective import Evaluation
from autosr_lib.search.population import Individual
from autosr_lib.search.selection import select_parents
from autosr_lib.search.settings import SelectionSettings, SelectionStrategy
from tests.fakes import rubric

NO_CREDIT = np.empty((0, 0))


def individual(*names: str, objective: float = 0.5) -> Individual:
    evaluation = Evaluation(objective, 0.5, 0.0, 0.5, 0.5, 0.5, 0.5, 1, 1.0, 0.0, has_right_top=True, is_complete=True)
    return Individual(rubric(*names), evaluation, "initial", 0)


def population_of(size: int) -> list[Individual]:
    """Return individuals without common criteria, best first."""
    return [individual(f"c{i}", objective=1 - i / 10) for i in range(size)]


def selecting(strategy: str, **changes: float) -> SelectionSettings:
    values = {"tournament_size": 3, "tournament_p": 0.8, "top_k_ratio": 0.3, "diversity_weight": 0.3, **changes}
    return SelectionSettings(selection_strategy=strategy, **values)


def selected(
    population: Sequence[Individual],
    count: int,
    settings: SelectionSettings,
    seed: int = 0,
    credit: FloatArray | None = None,
) -> list[str]:
    credit = np.zeros((len(population), 4)) if credit is None else credit
    chosen = select_parents(population, count, settings, np.random.default_rng(seed), credit)
    return [individual.rubric.criteria[0].text for individual in chosen]


@given(
    st.builds(
        SelectionSettings,
        selection_strategy=st.sampled_from(SelectionStrategy),
        tournament_size=st.integers(1, 1000),
        tournament_p=st.floats(0, 1),
        top_k_ratio=st.floats(0, 1, exclude_min=True),
        diversity_weight=st.floats(0, 1),
    ),
    st.integers(1, 7),
    st.integers(1, 12),
    st.integers(0, 5),
    st.integers(0, 2**32 - 1),
)
def test_any_strategy_gives_as_many_distinct_parents_as_possible(
    settings: SelectionSettings, size: int, count: int, pairs: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    credit = rng.choice([0, 0.5, 1], (size, pairs))

    parents = selected(population_of(size), count, settings, seed, credit)

    assert len(parents) == min(count, size)
    assert len(set(parents)) == len(parents)


@pytest.mark.parametrize("strategy", SelectionStrategy)
def test_the_same_seed_selects_the_same_parents(strategy: SelectionStrategy) -> None:
    population, credit = population_of(8), np.eye(8)

    first, second = (selected(population, 4, selecting(strategy), 5, credit) for _ in range(2))

    assert first == second


def test_rank_takes_the_best() -> None:
    assert selected(population_of(5), 3, selecting("rank")) == ["c0", "c1", "c2"]


def test_a_tournament_of_all_that_the_best_always_wins_equals_rank() -> None:
    settings = selecting("tournament", tournament_size=5, tournament_p=1)

    assert selected(population_of(5), 3, settings) == ["c0", "c1", "c2"]


def test_a_tournament_favours_better_individuals_and_gives_others_a_chance() -> None:
    settings = selecting("tournament", tournament_size=3, tournament_p=0.8)

    counts = Counter(selected(population_of(5), 1, settings, seed)[0] for seed in range(400))

    assert counts["c0"] > counts["c1"] > counts["c2"] > counts["c4"] > 0


def test_with_probability_zero_the_worst_entrant_wins_a_tournament() -> None:
    settings = selecting("tournament", tournament_size=4, tournament_p=0)

    assert selected(population_of(4), 1, settings) == ["c3"]


def test_top_k_selects_different_individuals_from_the_best_share() -> None:
    twin = individual("c0", "x", "y", objective=0.99)
    population = [individual("c0", "x", objective=1.0), twin, individual("other", objective=0.7), *population_of(9)[6:]]

    near, far = (selected(population, 2, selecting("top_k", top_k_ratio=0.5, diversity_weight=w)) for w in (0, 0.9))

    assert near == ["c0", "c0"]
    assert far == ["c0", "other"]


def test_top_k_only_exceeds_its_share_if_more_parents_are_needed() -> None:
    population = population_of(10)

    few = selected(population, 2, selecting("top_k", top_k_ratio=0.2, diversity_weight=1))
    many = selected(population, 5, selecting("top_k", top_k_ratio=0.2, diversity_weight=1))

    assert set(few) == {"c0", "c1"}
    assert set(many) == {"c0", "c1", "c2", "c3", "c4"}


def test_pareto_draws_in_proportion_to_the_pairs_that_an_individual_is_best_on() -> None:
    credit = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=float)

    counts = Counter(selected(population_of(4), 1, selecting("pareto"), seed, credit)[0] for seed in range(500))

    assert counts["c0"] == pytest.approx(300, abs=50)
    assert counts["c1"] == pytest.approx(100, abs=40)
    assert counts["c3"] == 0, "best on no pair: drawn only if no others are left"


def test_pareto_divides_a_pair_among_all_that_are_best_on_it() -> None:
    credit = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=float)

    counts = Counter(selected(population_of(3), 1, selecting("pareto"), seed, credit)[0] for seed in range(600))

    assert all(counts[name] == pytest.approx(200, abs=50) for name in ("c0", "c1", "c2"))


def test_pareto_without_any_pair_draws_evenly() -> None:
    counts = Counter(
        selected(population_of(2), 1, selecting("pareto"), seed, np.empty((2, 0)))[0] for seed in range(200)
    )

    assert set(counts) == {"c0", "c1"}
