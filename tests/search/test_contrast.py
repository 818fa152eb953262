"""The proposer is shown what the parent gets wrong, and nothing that it may not see."""

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


def case_of(*qualities: float, tie_tolerance: float = 1e-8, **columns: list[float]) -> PreparedPrompt:
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


def test_the_pairs_that_cost_most_come_first_the_better_candidate_named_first() -> None:
    # Wrong: (0, 1), at the top, and (2, 3), at the bottom.
    pairs = chosen([0.7, 0.8, 0.1, 0.3], case_of(4, 3, 2, 1))

    assert pairs == [(0, 1, "misordered"), (2, 3, "misordered")]


def test_a_tied_pair_costs_half_of_a_wrong_one() -> None:
    # (0, 1) is tied at the top, exp(2)/2 = 3.7; (1, 2) is wrong one place below, exp(4/3) = 3.8.
    pairs = chosen([0.5, 0.5, 0.6, 0.1], case_of(4, 3, 2, 1), count=3)

    assert [pair[:2] for pair in pairs] == [(0, 2), (1, 2), (0, 1)]
    assert pairs[-1][2] == "tied"


def test_when_all_is_right_the_narrowest_pairs_are_shown() -> None:
    pairs = chosen([0.9, 0.5, 0.4, 0.1], case_of(4, 3, 2, 1))

    assert pairs == [(1, 2, "close"), (2, 3, "close")]


def test_siblings_are_shown_other_pairs_and_come_round_at_the_end() -> None:
    prepared = case_of(3, 2, 1)

    first, second, third, fourth = (chosen([0.1, 0.5, 0.9], prepared, count=1, attempt=attempt) for attempt in range(4))

    assert len({*first, *second, *third}) == 3
    assert fourth == first


def test_no_more_pairs_are_shown_than_there_are() -> None:
    assert len(chosen([0.9, 0.5, 0.1], case_of(3, 2, 1), count=50)) == 3


def test_without_reference_pairs_nothing_is_shown() -> None:
    assert chosen([0.9, 0.5], case_of(1, 1)) == []
    assert chosen([0.9, 0.5], case_of(1, 1), Contrast.RTD) == []


@pytest.mark.parametrize("margin", [-0.04, 0.0, 0.04])
def test_what_lies_within_the_tolerance_is_shown_as_tied(margin: float) -> None:
    pairs = chosen([0.5 + margin, 0.5], case_of(2, 1, tie_tolerance=0.05))

    assert pairs == [(0, 1, "tied")]


def test_an_unscored_candidate_makes_a_tie() -> None:
    assert chosen([NAN, 0.9], case_of(2, 1)) == [(0, 1, "tied")]


def test_rtd_shows_the_top_two_under_the_parent_in_the_references_order() -> None:
    pairs = chosen([0.1, 0.8, 0.9, 0.2], case_of(4, 3, 2, 1), Contrast.RTD, count=3)

    assert pairs == [(1, 2, "misordered")]


def test_rtd_passes_over_a_top_pair_that_the_reference_ties() -> None:
    pairs = chosen([0.9, 0.8, 0.5], case_of(2, 2, 1), Contrast.RTD)

    assert pairs == [(0, 2, "close")]


def test_places_are_those_of_the_whole_prompt_even_when_candidates_are_hidden() -> None:
    prompt = prompt_with([4, 3, 2, 1])
    prepared = PreparedPrompt(prompt, preferences_of(prompt), frozenset({"c0"}), case_of(1, 2).objective)

    pairs = chosen([0.1, 0.5, 0.9], prepared, count=9)

    assert {pair[:2] for pair in pairs} == {(1, 2), (1, 3), (2, 3)}


def test_a_pair_is_shown_as_texts_and_the_parents_first_grades() -> None:
    prepared = case_of(2, 1, clear=[0.9, 0.2])
    parent = rubric("clear", "deep")
    bank = GradeBank(2, 2).with_criteria(parent.criteria, prepared.texts)
    key = criterion("clear").key
    bank = bank.with_entries([BankEntry(key, 0, 0, 0.9), BankEntry(key, 0, 1, 0.1), BankEntry(key, 1, 0, None)])

    (shown,) = show_pairs([ChosenPair(0, 1, "tied")], parent, bank, prepared)

    assert (shown.better_text, shown.worse_text) == (prepared.texts[1][0], prepared.texts[1][1])
    assert (shown.better_grades, shown.worse_grades) == ({key: 0.9}, {})
    assert shown.fault == "tied"
