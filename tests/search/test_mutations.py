"""Every mutation gives a valid rubric or none."""

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


def shares(original: Rubric) -> dict[str, float]:
    return {c.text: pytest.approx(weight) for c, weight in zip(original.criteria, original.weights, strict=True)}


def texts(original: Rubric) -> list[str]:
    return [c.text for c in original.criteria]


def prepared_prompt(n: int = 5) -> PreparedPrompt:
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


def test_new_criteria_share_the_weight_of_those_that_they_replace() -> None:
    parent = weighted(clear=1, deep=2, true=1)

    child = apply_proposal(parent, Proposal((criterion("sharp"), criterion("exact")), ("deep",)), MANY)

    assert child is not None
    assert shares(child) == {"sharp": 0.25, "exact": 0.25, "clear": 0.25, "true": 0.25}


def test_an_added_criterion_gets_the_mean_weight_of_the_parent() -> None:
    child = apply_proposal(weighted(clear=3, deep=1), Proposal((criterion("true", weight=100),)), MANY)

    assert child is not None
    assert shares(child) == {"true": 0.5 / 1.5, "clear": 0.75 / 1.5, "deep": 0.25 / 1.5}


def test_a_replacement_of_a_criterion_without_weight_gets_the_mean_weight() -> None:
    child = apply_proposal(weighted(clear=1, deep=0), Proposal((criterion("true"),), ("deep",)), MANY)

    assert child is not None
    assert shares(child) == {"true": 0.5 / 1.5, "clear": 1 / 1.5}


@pytest.mark.parametrize("proposal", [Proposal(()), Proposal((criterion("  DEEP"),)), Proposal((), ("deep",))])
def test_a_proposal_without_new_criteria_makes_no_child(proposal: Proposal) -> None:
    assert apply_proposal(rubric("clear", "deep"), proposal, MANY) is None


def test_all_criteria_can_be_replaced() -> None:
    child = apply_proposal(rubric("clear", "deep"), Proposal((criterion("true"),), ("clear", "deep")), MANY)

    assert child is not None
    assert shares(child) == {"true": 1}


def test_the_lightest_criteria_of_a_child_with_too_many_are_dropped() -> None:
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
    parent: Rubric, criteria: list[Criterion], replaces: list[str], max_criteria: int
) -> None:
    child = apply_proposal(parent, Proposal(tuple(criteria), tuple(replaces)), max_criteria)

    if child is not None:
        assert Rubric.model_validate(child.model_dump()) == child
        assert len(child.criteria) <= max_criteria
        assert sum(child.weights) == pytest.approx(1)
        assert min(child.weights) >= 0


@given(RUBRICS, st.integers(0, 2**32 - 1))
def test_any_perturbation_keeps_the_criteria_and_changes_their_weights(parent: Rubric, seed: int) -> None:
    child = perturb_weights(parent, np.random.default_rng(seed))

    assert Rubric.model_validate(child.model_dump()) == child
    assert child.keys == parent.keys
    assert [weight == 0 for weight in child.weights] == [weight == 0 for weight in parent.weights]


@given(RUBRICS)
def test_repeated_criterion_ids_are_numbered(original: Rubric) -> None:
    ids = [c.criterion_id for c in original.criteria]

    assert len(set(ids)) == len(ids)


def test_criteria_below_the_minimum_weight_are_dropped_but_never_all() -> None:
    original = rubric("clear", "deep", "true")

    assert texts(with_weights(original, [0.7, 0.2999, 0.0001], min_weight=1e-3)) == ["clear", "deep"]
    assert len(with_weights(original, [0.0, 0.0, 0.0], min_weight=1e-3).criteria) == 3


def test_missing_grades_are_replaced_by_the_mean_of_their_criterion() -> None:
    prepared = prepared_prompt()
    prompt = graded(prepared, clear=[1.0, None, 0.0, None, 0.2], deep=[None] * 5)

    grades = prompt.aggregated_grades(rubric("clear", "deep"))

    np.testing.assert_allclose(grades, [[1.0, 0.4, 0.0, 0.4, 0.2], [0.0] * 5])


def test_reweight_weights_criteria_that_order_the_pairs_and_drops_the_others() -> None:
    prepared = prepared_prompt()
    prompt = graded(prepared, right=RIGHT, wrong=WRONG)

    fitted = reweight(rubric("right", "wrong"), prompt)

    assert shares(fitted) == {"right": 1}


def test_reweight_pulls_toward_the_original_weights_and_so_can_be_repeated() -> None:
    prepared = prepared_prompt()
    prompt = graded(prepared, right=RIGHT, noisy=NOISY, flat=FLAT)

    once = reweight(rubric("right", "noisy", "flat"), prompt)
    again = reweight(once, prompt)

    assert again.weights == pytest.approx(once.weights)


def test_the_bank_stores_the_original_proportions_of_a_rubric() -> None:
    prepared, original = prepared_prompt(), weighted(clear=3, deep=1)

    bank = GradeBank(5, 1).with_criteria(with_mean_weight_one(original).criteria, prepared.texts)

    assert original_weights(rubric("deep", "clear"), bank).tolist() == [0.5, 1.5]


def test_prune_drops_criteria_that_are_constant_duplicate_or_point_the_wrong_way() -> None:
    prepared = prepared_prompt()
    prompt = graded(prepared, right=RIGHT, twin=RIGHT, flat=FLAT, wrong=WRONG, noisy=NOISY)

    pruned = prune(weighted(twin=1, right=2, flat=1, wrong=1, noisy=1), prompt)

    assert pruned is not None
    assert texts(pruned) == ["right", "noisy"]


def test_prune_makes_no_rubric_if_no_criterion_or_every_criterion_would_be_dropped() -> None:
    prepared = prepared_prompt()
    prompt = graded(prepared, right=RIGHT, flat=FLAT, wrong=WRONG)

    assert prune(rubric("right"), prompt) is None
    assert prune(rubric("flat", "wrong"), prompt) is None


def test_crossover_selects_the_criteria_of_both_parents_that_order_best_together() -> None:
    prepared = prepared_prompt()
    first, second = [0.9, 0.8, 0.2, 0.3, 0.1], [0.6, 0.2, 0.5, 0.1, 0.0]
    prompt = graded(prepared, first=first, second=second, wrong=WRONG, flat=FLAT)

    crossed = crossover(rubric("wrong", "first"), rubric("second", "flat"), prompt, MANY)

    assert set(texts(crossed)) == {"first", "second"}
    alone = prompt.evaluate([crossed, rubric("first"), rubric("second")])
    assert alone[0].objective > max(alone[1].objective, alone[2].objective)


def test_crossover_stops_when_the_order_is_perfect() -> None:
    prepared = prepared_prompt()

    crossed = crossover(rubric("right"), rubric("noisy"), graded(prepared, right=RIGHT, noisy=NOISY), MANY)

    assert texts(crossed) == ["right"]


def test_gather_uses_all_criteria_that_are_graded_on_every_candidate() -> None:
    prepared = prepared_prompt()
    prompt = graded(prepared, right=RIGHT, noisy=NOISY, holed=[0.9, None, 0.5, 0.3, 0.1])

    gathered = gather(prompt, MANY)

    assert gathered is not None
    assert "right" in texts(gathered)
    assert "holed" not in texts(gathered)


def test_gather_makes_no_rubric_if_every_criterion_lacks_a_grade() -> None:
    prepared = prepared_prompt()

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
def test_any_free_mutation_makes_a_valid_rubric_or_none(
    problem: tuple[GradedPrompt, list[str]], max_criteria: int
) -> None:
    prompt, names = problem
    original, second = rubric(*names), rubric(names[0])

    made = [
        reweight(original, prompt),
        prune(original, prompt),
        crossover(original, second, prompt, max_criteria),
        gather(prompt, max_criteria),
    ]

    for child in made:
        if child is not None:
            assert Rubric.model_validate(child.model_dump()) == child
            assert set(child.keys) <= set(original.keys)
            assert sum(child.weights) == pytest.approx(1)
    assert all(len(child.criteria) <= max_criteria for child in made[2:] if child is not None)


@given(RUBRICS)
def test_the_stored_form_is_the_same_rubric_in_the_wording_of_the_bank(original: Rubric) -> None:
    prepared = prepared_prompt()
    bank = GradeBank(5, 1).with_criteria(with_mean_weight_one(original).criteria, prepared.texts)

    stored = in_stored_form(original, bank)

    assert stored.fingerprint == original.fingerprint
    assert stored.weights == original.weights
    assert in_stored_form(stored, bank) == stored
    assert all(bank.criteria[c.key].text == c.text for c in stored.criteria)
