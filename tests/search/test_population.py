"""Individuals survive by merit, and diversity depends on criteria and weights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.objective import Evaluation
from autosr_lib.search.graded_prompt import weight_matrix
from autosr_lib.search.population import Individual, by_merit, choose_survivors, distance, diversity
from tests.fakes import criterion, rubric


def individual(subject: Rubric, objective: float, *, is_complete: bool = True) -> Individual:
    evaluation = Evaluation(
        objective, 0.5, 0.0, 0.5, 0.5, 0.5, 0.5, 1, 1.0, 0.0, has_right_top=True, is_complete=is_complete
    )
    return Individual(subject, evaluation, "initial", 0)


def named(name: str, objective: float, *, is_complete: bool = True) -> Individual:
    return individual(rubric(name), objective, is_complete=is_complete)


def names(individuals: tuple[Individual, ...] | list[Individual]) -> list[str]:
    return [individual.rubric.criteria[0].text for individual in individuals]


def renamed(first: Rubric) -> Rubric:
    criteria = tuple(c.model_copy(update={"criterion_id": f"other {i}"}) for i, c in enumerate(first.criteria))
    return Rubric(criteria=criteria[::-1], rubric_id="another")


def weighted(**weights: float) -> Rubric:
    return Rubric(criteria=tuple(criterion(name, weight) for name, weight in weights.items()))


RUBRICS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 10), min_size=1).map(lambda w: weighted(**w))
INDIVIDUALS = st.lists(st.builds(individual, RUBRICS, st.floats(-1, 1), is_complete=st.booleans()), max_size=10)


def test_copies_have_no_diversity_whatever_their_ids_and_order() -> None:
    plain = weighted(clear=2, deep=1, true=1)

    assert distance(plain, renamed(plain)) == pytest.approx(0)
    assert diversity([individual(plain, 0.5), individual(renamed(plain), 0.5)]) == pytest.approx(0)


def test_rubrics_without_common_criteria_have_distance_one() -> None:
    assert distance(rubric("clear"), rubric("deep")) == 1


def test_the_distance_is_one_minus_shared_weight_over_joint_weight() -> None:
    # Shares 0.75 and 0.25 against 0.25 and 0.75: the smaller ones sum to 0.5, the larger ones to 1.5.
    assert distance(weighted(clear=3, deep=1), weighted(clear=1, deep=3)) == pytest.approx(1 - 0.5 / 1.5)


def test_diversity_is_the_mean_over_pairs_and_zero_for_one_individual() -> None:
    first, copy, second = (individual(rubric(name), 0.5) for name in ("clear", "clear", "deep"))

    assert diversity([first, copy, second]) == pytest.approx(2 / 3)
    assert diversity([first]) == 0


@given(RUBRICS, RUBRICS)
def test_any_distance_is_symmetric_bounded_and_independent_of_ids(first: Rubric, second: Rubric) -> None:
    measured = distance(first, second)

    assert -1e-12 <= measured <= 1
    assert distance(second, first) == pytest.approx(measured)
    assert distance(renamed(first), second) == pytest.approx(measured)


def test_the_weight_matrix_has_a_row_per_rubric_and_a_column_per_criterion_key() -> None:
    keys, weights = weight_matrix([weighted(clear=3, deep=1), weighted(true=1)])

    assert keys == sorted(criterion(name).key for name in ("clear", "deep", "true"))
    assert weights.sum(axis=1).tolist() == [1, 1]
    assert weights[0, keys.index(criterion("clear").key)] == 0.75


def test_merit_is_by_objective_and_of_equals_the_simpler_is_first() -> None:
    long, short, best = individual(rubric("a", "b"), 0.6), individual(rubric("c"), 0.6), individual(rubric("d"), 0.7)

    assert by_merit([long, short, best]) == [best, short, long]


def test_an_incomplete_individual_ranks_below_every_complete_one() -> None:
    complete, incomplete = named("complete", 0.1), named("incomplete", 0.9, is_complete=False)

    assert by_merit([incomplete, complete]) == [complete, incomplete]
    assert choose_survivors([complete], [incomplete], size=1, elitism=1) == (complete,)


def test_an_incomplete_child_never_displaces_a_complete_parent() -> None:
    parents = [named(f"p{i}", 0.1) for i in range(4)]
    children = [named(f"c{i}", 0.9, is_complete=False) for i in range(4)]

    assert set(names(choose_survivors(parents, children, size=4, elitism=1))) == {"p0", "p1", "p2", "p3"}


def test_the_best_of_parents_and_children_survive_together() -> None:
    parents, children = [named("p1", 0.5), named("p2", 0.3)], [named("c1", 0.4), named("c2", 0.2)]

    assert names(choose_survivors(parents, children, size=3, elitism=1)) == ["p1", "c1", "p2"]


def test_elites_survive_even_if_every_child_is_better() -> None:
    parents = [named("p1", 0.3), named("p2", 0.2), named("p3", 0.1)]
    children = [named(f"c{i}", 0.9) for i in range(5)]

    assert names(choose_survivors(parents, children, size=4, elitism=2)) == ["c0", "c1", "p1", "p2"]


def test_elites_never_displace_the_best_individual() -> None:
    parents, child = [named("p1", 0.3), named("p2", 0.2)], named("c1", 0.9)

    assert choose_survivors(parents, [child], size=2, elitism=2)[0] is child
    assert choose_survivors(parents, [child], size=1, elitism=1) == (child,)


@given(INDIVIDUALS.filter(bool), INDIVIDUALS, st.integers(1, 8), st.integers(1, 8))
def test_any_survival_keeps_the_best_the_elites_and_no_duplicates(
    parents: list[Individual], children: list[Individual], size: int, elitism: int
) -> None:
    survivors = choose_survivors(parents, children, size, elitism)

    fingerprints = [individual.fingerprint for individual in survivors]
    assert len(set(fingerprints)) == len(fingerprints) == min(size, len({o.fingerprint for o in [*parents, *children]}))
    assert survivors[0].evaluation.merit[0] == max(o.evaluation.is_complete for o in by_merit([*parents, *children]))
    assert survivors[0].fingerprint == by_merit([*parents, *children])[0].fingerprint
    assert {individual.fingerprint for individual in by_merit(parents)[: min(elitism, size - 1)]} <= set(fingerprints)
    assert list(survivors) == by_merit(survivors)
