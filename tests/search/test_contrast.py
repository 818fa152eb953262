"""The proposer is shown the pairs that the parent orders wrongly, as texts and grades."""

import numpy as np
import pytest

from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.evaluation.settings import HoldoutSettings, ObjectiveSettings
from autosr_lib.search.contrast import ChosenPair, choose_pairs, show_pairs
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import Contrast
from tests.fakes import criterion, prompt_with, rubric
from tests.worlds import preferences_of

NAN = float("nan")


def prepared_with(*qualities: float, tie_tolerance: float = 1e-8, **columns: list[float]) -> PreparedPrompt:
    prompt = prompt_with(qualities, **columns)
    objective = ObjectiveSettings(pairs="tail_weighted", beta=0.5, tail_fraction=0.25, tie_tolerance=tie_tolerance)
    return PreparedPrompt.of(prompt, preferences_of(prompt), HoldoutSettings(holdout_fraction=0), objective)


def chosen(
    scores: list[float],
    prepared: PreparedPrompt,
    contrast: Contrast = Contrast.MISORDERED,
    count: int = 2,
    attempt: int = 0,
) -> list[tuple[int, int, str]]:
    return [tuple(pair) for pair in choose_pairs(np.array(scores), prepared, contrast, count, attempt)]


def test_the_most_costly_pairs_come_first_each_with_the_better_candidate_first() -> None:
    # Wrong: (0, 1), at the top, and (2, 3), at the bottom.
    pairs = chosen([0.7, 0.8, 0.1, 0.3], prepared_with(4, 3, 2, 1))

    assert pairs == [(0, 1, "misordered"), (2, 3, "misordered")]


def test_a_tied_pair_costs_half_of_a_wrong_one() -> None:
    # (0, 1) is tied at the top, exp(2)/2 = 3.7; (1, 2) is wrong one rank below, exp(4/3) = 3.8.
    pairs = chosen([0.5, 0.5, 0.6, 0.1], prepared_with(4, 3, 2, 1), count=3)

    assert [pair[:2] for pair in pairs] == [(0, 2), (1, 2), (0, 1)]
    assert pairs[-1][2] == "tied"


def test_if_every_pair_is_right_those_of_smallest_margin_are_shown() -> None:
    pairs = chosen([0.9, 0.5, 0.4, 0.1], prepared_with(4, 3, 2, 1))

    assert pairs == [(1, 2, "close"), (2, 3, "close")]


def test_siblings_are_shown_different_pairs_until_all_have_been_shown() -> None:
    prepared = prepared_with(3, 2, 1)

    first, second, third, fourth = (chosen([0.1, 0.5, 0.9], prepared, count=1, attempt=attempt) for attempt in range(4))

    assert len({*first, *second, *third}) == 3
    assert fourth == first


def test_no_more_pairs_are_shown_than_there_are() -> None:
    assert len(chosen([0.9, 0.5, 0.1], prepared_with(3, 2, 1), count=50)) == 3


def test_without_reference_pairs_nothing_is_shown() -> None:
    assert chosen([0.9, 0.5], prepared_with(1, 1)) == []
    assert chosen([0.9, 0.5], prepared_with(1, 1), Contrast.RTD) == []


@pytest.mark.parametrize("margin", [-0.04, 0.0, 0.04])
def test_a_margin_within_the_tolerance_is_a_tie(margin: float) -> None:
    pairs = chosen([0.5 + margin, 0.5], prepared_with(2, 1, tie_tolerance=0.05))

    assert pairs == [(0, 1, "tied")]


def test_a_pair_with_an_unscored_candidate_is_tied() -> None:
    assert chosen([NAN, 0.9], prepared_with(2, 1)) == [(0, 1, "tied")]


def test_rtd_shows_the_two_best_under_the_parent_in_the_order_of_the_reference() -> None:
    pairs = chosen([0.1, 0.8, 0.9, 0.2], prepared_with(4, 3, 2, 1), Contrast.RTD, count=3)

    assert pairs == [(1, 2, "misordered")]


def test_rtd_skips_a_top_pair_that_the_reference_ties() -> None:
    pairs = chosen([0.9, 0.8, 0.5], prepared_with(2, 2, 1), Contrast.RTD)

    assert pairs == [(0, 2, "close")]


def test_positions_refer_to_the_complete_prompt_even_if_candidates_are_hidden() -> None:
    prompt = prompt_with([4, 3, 2, 1])
    prepared = PreparedPrompt(prompt, preferences_of(prompt), frozenset({"c0"}), prepared_with(1, 2).objective)

    pairs = chosen([0.1, 0.5, 0.9], prepared, count=9)

    assert {pair[:2] for pair in pairs} == {(1, 2), (1, 3), (2, 3)}


def test_a_pair_is_shown_as_texts_with_the_parents_grades_of_the_first_vote() -> None:
    prepared = prepared_with(2, 1, clear=[0.9, 0.2])
    parent = rubric("clear", "deep")
    bank = GradeBank(2, 2).with_criteria(parent.criteria, prepared.texts)
    key = criterion("clear").key
    bank = bank.with_entries([BankEntry(key, 0, 0, 0.9), BankEntry(key, 0, 1, 0.1), BankEntry(key, 1, 0, None)])

    (shown,) = show_pairs([ChosenPair(0, 1, "tied")], parent, bank, prepared)

    assert (shown.better_text, shown.worse_text) == (prepared.texts[1][0], prepared.texts[1][1])
    assert (shown.better_grades, shown.worse_grades) == ({key: 0.9}, {})
    assert shown.fault == "tied"
