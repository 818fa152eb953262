"""Two sets of results are compared on the prompts, and the held-out pairs, that both have."""

from autosr_lib.results.comparison import compare
from autosr_lib.storage.rows import Row


def result(prompt_id: str, right: float, *, pairs: int = 4, rubric: str = "r", objective: float = 0.5) -> Row:
    return {
        "prompt_id": prompt_id,
        "status": "done",
        "rubric": rubric,
        "objective": objective,
        "holdout_pairs": pairs,
        "holdout_best": right,
        "unseen_pairs": 1,
        "unseen_best": min(right, 1.0),
        "calls": 10,
    }


FAILED: Row = {"prompt_id": "f", "status": "failed", "rubric": None}


def test_the_difference_is_that_of_the_pooled_accuracies_with_the_paired_interval_around_it() -> None:
    first = [result("a", 1), result("b", 2, pairs=8)]
    second = [result("b", 4, pairs=8), result("a", 3)]

    found = compare(first, second)

    assert found.touching is not None
    assert (found.touching.pairs, found.touching.prompts) == (12, 2)
    assert (found.touching.initial.value, found.touching.best.value) == (3 / 12, 7 / 12)
    assert found.touching.gain.low <= 4 / 12 <= found.touching.gain.high


def test_equal_results_differ_by_nothing_however_they_vary_from_prompt_to_prompt() -> None:
    rows = [result(str(place), place % 5) for place in range(20)]

    found = compare(rows, rows)

    assert found.touching is not None
    assert found.touching.gain == (0, 0, 0)
    assert found.touching.best.low < found.touching.best.high
    assert found.changed == ()


def test_prompts_that_only_one_has_a_rubric_for_are_named_and_left_out() -> None:
    found = compare([result("a", 1), result("x", 4), FAILED], [result("a", 1), result("f", 4), result("y", 4)])

    assert (found.prompts, found.only_first, found.only_second) == (1, ("x",), ("f", "y"))
    assert found.touching is not None
    assert found.touching.prompts == 1


def test_a_prompt_for_which_other_pairs_were_held_out_is_counted_and_not_compared() -> None:
    found = compare([result("a", 1), result("b", 1)], [result("a", 1), result("b", 1, pairs=5)])

    assert (found.prompts, found.unpaired, found.paired) == (2, 1, 1)
    assert found.touching is not None
    assert found.touching.pairs == 4


def test_a_changed_rubric_is_told_with_both_objectives() -> None:
    found = compare([result("a", 1), result("b", 1)], [result("a", 1, rubric="other", objective=0.7), result("b", 1)])

    assert found.changed == (("a", 0.5, 0.7),)


def test_nothing_in_common_is_no_figure() -> None:
    found = compare([result("a", 1)], [result("b", 1)])

    assert (found.prompts, found.unseen, found.touching) == (0, None, None)
