"""Two sets of results are compared on the prompts, and the held-out pairs, that both have."""

from autosr_lib.results.comparison import compare_results
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.run_results import PromptResult, ResultFigures


def result(prompt_id: str, right: float, *, pairs: int = 4, rubric: str = "r", objective: float = 0.5) -> PromptResult:
    """Return the result of a prompt whose rubric orders `right` of its touching pairs correctly."""
    figures = ResultFigures(rubric, objective, pairs, right, unseen_pairs=1, unseen_best=min(right, 1.0), calls=10)
    return PromptResult(prompt_id, Status.DONE, figures)


FAILED = PromptResult("f", Status.FAILED, None)


def test_the_difference_is_that_of_the_pooled_accuracies_with_the_paired_interval_around_it() -> None:
    first = [result("a", 1), result("b", 2, pairs=8)]
    second = [result("b", 4, pairs=8), result("a", 3)]

    comparison = compare_results(first, second)

    assert comparison.touching is not None
    assert (comparison.touching.pairs, comparison.touching.prompts) == (12, 2)
    assert (comparison.touching.initial.value, comparison.touching.best.value) == (3 / 12, 7 / 12)
    assert comparison.touching.gain.low <= 4 / 12 <= comparison.touching.gain.high


def test_equal_results_differ_by_nothing_however_they_vary_from_prompt_to_prompt() -> None:
    rows = [result(str(number), number % 5) for number in range(20)]

    comparison = compare_results(rows, rows)

    assert comparison.touching is not None
    assert comparison.touching.gain == (0, 0, 0)
    assert comparison.touching.best.low < comparison.touching.best.high
    assert comparison.changed == ()


def test_prompts_that_only_one_has_a_rubric_for_are_named_and_left_out() -> None:
    comparison = compare_results(
        [result("a", 1), result("x", 4), FAILED], [result("a", 1), result("f", 4), result("y", 4)]
    )

    assert (comparison.prompts, comparison.only_first, comparison.only_second) == (1, ("x",), ("f", "y"))
    assert comparison.touching is not None
    assert comparison.touching.prompts == 1


def test_a_prompt_for_which_other_pairs_were_held_out_is_counted_but_not_compared() -> None:
    comparison = compare_results([result("a", 1), result("b", 1)], [result("a", 1), result("b", 1, pairs=5)])

    assert (comparison.prompts, comparison.unpaired, comparison.paired) == (2, 1, 1)
    assert comparison.touching is not None
    assert comparison.touching.pairs == 4


def test_a_changed_rubric_is_listed_with_both_objectives() -> None:
    comparison = compare_results(
        [result("a", 1), result("b", 1)], [result("a", 1, rubric="other", objective=0.7), result("b", 1)]
    )

    assert comparison.changed == (("a", 0.5, 0.7),)


def test_nothing_in_common_is_no_figure() -> None:
    comparison = compare_results([result("a", 1)], [result("b", 1)])

    assert (comparison.prompts, comparison.unseen, comparison.touching) == (0, None, None)
