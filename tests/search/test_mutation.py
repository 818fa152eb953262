"""Whatever a mutation does, a rubric comes out, or nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.evaluation.settings import Aggregate, HoldoutSettings
from autosr_lib.search.free_mutations import crossover, gather, original_weights, prune, reweight
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.mutation import apply_proposal, perturb_weights
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.roles import Proposal
from autosr_lib.search.rubric_edits import in_stored_form, make_rubric, with_mean_weight_one, with_weights
from tests.fakes import criterion, prompt_with, rubric
from tests.worlds import preferences_of, search_settings

MANY = 99
MEAN = Aggregate.MEAN
RIGHT, NOISY, FLAT, WRONG = ([0.9, 0.7, 0.5, 0.3, 0.1], [0.9, 0.3, 0.5, 0.4, 0.1], [0.5] * 5, [0.1, 0.3, 0.5, 0.7, 0.9])


def weighted(**weights: float) -> Rubric:
    return Rubric(criteria=tuple(criterion(name, weight) for name, weight in weights.items()))


def shares(one: Rubric) -> dict[str, float]:
    return {c.text: pytest.approx(weight) for c, weight in zip(one.criteria, one.weights, strict=True)}


def texts(one: Rubric) -> list[str]:
    return [c.text for c in one.criteria]


def case_of(n: int = 5) -> PreparedPrompt:
    prompt = prompt_with(list(range(n, 0, -1)))
    return PreparedPrompt.of(
        prompt, preferences_of(prompt), HoldoutSettings(holdout_fraction=0), search_settings().objective
    )


def graded(prepared: PreparedPrompt, **grades: list[float | None]) -> GradedPrompt:
    """Return the prompt with these grades of each criterion, candidate by candidate; None is ungraded."""
    criteria = {name: criterion(name) for name in grades}
    bank = GradeBank(len(prepared.visible), 1).with_criteria(criteria.values(), prepared.texts)
    bank = bank.with_entries(
        BankEntry(criteria[name].key, i, 0, grade)
        for name, column in grades.items()
        for i, grade in enumerate(column)
        if grade is not None
    )
    return GradedPrompt(bank, prepared, [0], MEAN)


def test_new_criteria_take_the_weight_of_those_that_they_replace() -> None:
    parent = weighted(clear=1, deep=2, true=1)

    child = apply_proposal(parent, Proposal((criterion("sharp"), criterion("exact")), ("deep",)), MANY)

    assert child is not None
    assert shares(child) == {"sharp": 0.25, "exact": 0.25, "clear": 0.25, "true": 0.25}


def test_an_added_criterion_weighs_as_much_as_the_parents_do_on_average() -> None:
    child = apply_proposal(weighted(clear=3, deep=1), Proposal((criterion("true", weight=100),)), MANY)

    assert child is not None
    assert shares(child) == {"true": 0.5 / 1.5, "clear": 0.75 / 1.5, "deep": 0.25 / 1.5}


def test_what_replaces_a_criterion_without_weight_counts_all_the_same() -> None:
    child = apply_proposal(weighted(clear=1, deep=0), Proposal((criterion("true"),), ("deep",)), MANY)

    assert child is not None
    assert shares(child) == {"true": 0.5 / 1.5, "clear": 1 / 1.5}


@pytest.mark.parametrize("proposal", [Proposal(()), Proposal((criterion("  DEEP"),)), Proposal((), ("deep",))])
def test_a_proposal_that_says_nothing_new_makes_no_child(proposal: Proposal) -> None:
    assert apply_proposal(rubric("clear", "deep"), proposal, MANY) is None


def test_all_criteria_can_be_replaced() -> None:
    child = apply_proposal(rubric("clear", "deep"), Proposal((criterion("true"),), ("clear", "deep")), MANY)

    assert child is not None
    assert shares(child) == {"true": 1}


def test_a_child_with_too_many_criteria_loses_the_lightest() -> None:
    child = apply_proposal(weighted(clear=5, deep=1, true=4), Proposal((criterion("sharp"),)), 3)

    assert child is not None
    assert set(texts(child)) == {"sharp", "clear", "true"}


CRITERIA = st.builds(
    Criterion,
    criterion_id=st.sampled_from(["a", "b", "c", "a_2"]),
    text=st.sampled_from(["clear", "deep", "true", "Clear "]),
    weight=st.just(0.0) | st.floats(0, 1e300),
)
RUBRICS = st.lists(CRITERIA, min_size=1, max_size=6).map(make_rubric)


@given(RUBRICS, st.lists(CRITERIA, max_size=4), st.lists(st.sampled_from(["a", "b", "c", "x"])), st.integers(1, 7))
def test_any_proposal_makes_a_valid_rubric_or_none(
    parent: Rubric, criteria: list[Criterion], replaces: list[str], most: int
) -> None:
    child = apply_proposal(parent, Proposal(tuple(criteria), tuple(replaces)), most)

    if child is not None:
        assert Rubric.model_validate(child.model_dump()) == child
        assert len(child.criteria) <= most
        assert sum(child.weights) == pytest.approx(1)
        assert min(child.weights) >= 0


@given(RUBRICS, st.integers(0, 2**32 - 1))
def test_any_perturbation_keeps_the_criteria_and_moves_their_weights(parent: Rubric, seed: int) -> None:
    child = perturb_weights(parent, np.random.default_rng(seed))

    assert Rubric.model_validate(child.model_dump()) == child
    assert child.keys == parent.keys
    assert [weight == 0 for weight in child.weights] == [weight == 0 for weight in parent.weights]


@given(RUBRICS)
def test_criteria_whose_ids_are_taken_get_the_next_free_number(one: Rubric) -> None:
    ids = [c.criterion_id for c in one.criteria]

    assert len(set(ids)) == len(ids)


def test_fitted_weights_drop_criteria_that_earn_none_but_never_all() -> None:
    one = rubric("clear", "deep", "true")

    assert texts(with_weights(one, [0.7, 0.2999, 0.0001], min_weight=1e-3)) == ["clear", "deep"]
    assert len(with_weights(one, [0.0, 0.0, 0.0], min_weight=1e-3).criteria) == 3


def test_grades_that_are_not_known_tell_nothing() -> None:
    prepared = case_of()
    prompt = graded(prepared, clear=[1.0, None, 0.0, None, 0.2], deep=[None] * 5)

    grades = prompt.aggregated_grades(rubric("clear", "deep"))

    np.testing.assert_allclose(grades, [[1.0, 0.4, 0.0, 0.4, 0.2], [0.0] * 5])


def test_reweight_gives_weight_to_what_orders_the_pairs_and_drops_what_does_not() -> None:
    prepared = case_of()
    prompt = graded(prepared, right=RIGHT, wrong=WRONG)

    fitted = reweight(rubric("right", "wrong"), prompt)

    assert shares(fitted) == {"right": 1}


def test_reweight_is_held_to_the_weights_that_were_written_and_so_can_be_repeated() -> None:
    prepared = case_of()
    prompt = graded(prepared, right=RIGHT, noisy=NOISY, flat=FLAT)

    once = reweight(rubric("right", "noisy", "flat"), prompt)
    again = reweight(once, prompt)

    assert again.weights == pytest.approx(once.weights)


def test_the_bank_remembers_the_proportions_in_which_a_rubric_was_written() -> None:
    prepared, one = case_of(), weighted(clear=3, deep=1)

    bank = GradeBank(5, 1).with_criteria(with_mean_weight_one(one).criteria, prepared.texts)

    assert original_weights(rubric("deep", "clear"), bank).tolist() == [0.5, 1.5]


def test_prune_drops_what_is_constant_repeated_or_points_the_wrong_way() -> None:
    prepared = case_of()
    prompt = graded(prepared, right=RIGHT, twin=RIGHT, flat=FLAT, wrong=WRONG, noisy=NOISY)

    pruned = prune(weighted(twin=1, right=2, flat=1, wrong=1, noisy=1), prompt)

    assert pruned is not None
    assert texts(pruned) == ["right", "noisy"]


def test_prune_makes_nothing_where_nothing_or_everything_would_go() -> None:
    prepared = case_of()
    prompt = graded(prepared, right=RIGHT, flat=FLAT, wrong=WRONG)

    assert prune(rubric("right"), prompt) is None
    assert prune(rubric("flat", "wrong"), prompt) is None


def test_crossover_takes_the_criteria_of_both_parents_that_order_best_together() -> None:
    prepared = case_of()
    first, second = [0.9, 0.8, 0.2, 0.3, 0.1], [0.6, 0.2, 0.5, 0.1, 0.0]
    prompt = graded(prepared, first=first, second=second, wrong=WRONG, flat=FLAT)

    crossed = crossover(rubric("wrong", "first"), rubric("second", "flat"), prompt, MANY)

    assert set(texts(crossed)) == {"first", "second"}
    alone = prompt.evaluate([crossed, rubric("first"), rubric("second")])
    assert alone[0].objective > max(alone[1].objective, alone[2].objective)


def test_crossover_stops_at_what_is_perfect_already() -> None:
    prepared = case_of()

    crossed = crossover(rubric("right"), rubric("noisy"), graded(prepared, right=RIGHT, noisy=NOISY), MANY)

    assert texts(crossed) == ["right"]


def test_gather_takes_all_that_the_bank_knows_of_every_candidate() -> None:
    prepared = case_of()
    prompt = graded(prepared, right=RIGHT, noisy=NOISY, holed=[0.9, None, 0.5, 0.3, 0.1])

    gathered = gather(prompt, MANY)

    assert gathered is not None
    assert "right" in texts(gathered)
    assert "holed" not in texts(gathered)


def test_gather_has_nothing_to_take_where_every_criterion_has_a_hole() -> None:
    prepared = case_of()

    assert gather(graded(prepared, holed=[0.9, None, 0.5, 0.3, 0.1]), MANY) is None


@st.composite
def graded_prompts(draw: st.DrawFn) -> tuple[GradedPrompt, list[str]]:
    """Return a graded prompt, and the names of the criteria that its bank holds."""
    n, names = draw(st.integers(2, 5)), [f"c{i}" for i in range(draw(st.integers(1, 5)))]
    grade = st.none() | st.sampled_from([0.0, 0.2, 0.5, 1.0]) if draw(st.booleans()) else st.sampled_from([0.2, 0.8])
    prompt = prompt_with(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    prepared = PreparedPrompt.of(
        prompt, preferences_of(prompt), HoldoutSettings(holdout_fraction=0), search_settings().objective
    )
    return graded(prepared, **{name: draw(st.lists(grade, min_size=n, max_size=n)) for name in names}), names


@given(graded_prompts(), st.integers(1, 5))
def test_any_free_mutation_makes_a_valid_rubric_or_none(problem: tuple[GradedPrompt, list[str]], most: int) -> None:
    prompt, names = problem
    one, other = rubric(*names), rubric(names[0])

    made = [
        reweight(one, prompt),
        prune(one, prompt),
        crossover(one, other, prompt, most),
        gather(prompt, most),
    ]

    for child in made:
        if child is not None:
            assert Rubric.model_validate(child.model_dump()) == child
            assert set(child.keys) <= set(one.keys)
            assert sum(child.weights) == pytest.approx(1)
    assert all(len(child.criteria) <= most for child in made[2:] if child is not None)


@given(RUBRICS)
def test_what_is_stored_is_the_same_rubric_in_the_banks_words(one: Rubric) -> None:
    prepared = case_of()
    bank = GradeBank(5, 1).with_criteria(with_mean_weight_one(one).criteria, prepared.texts)

    stored = in_stored_form(one, bank)

    assert stored.fingerprint == one.fingerprint
    assert stored.weights == one.weights
    assert in_stored_form(stored, bank) == stored
    assert all(bank.criteria[c.key].text == c.text for c in stored.criteria)
