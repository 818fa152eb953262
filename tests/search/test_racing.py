"""Racing grades new criteria on their own pairs first, and only completes the grading of those that help."""

from dataclasses import replace

import pytest

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank, Need
from autosr_lib.search.contrast import ChosenPair
from autosr_lib.search.racing import Entrant, first_heat, is_wrong_way, without_losers
from autosr_lib.search.roles import Proposal, ProposeRequest
from tests.fakes import FakeVerifier, ScriptedProposer, attributes, criterion, fake_roles, rubric
from tests.worlds import context_of, planted_prompt, run, search_settings

PAIRS = (ChosenPair(0, 1, "misordered"), ChosenPair(0, 2, "misordered"))
TEXTS = ("t", ("one", "two", "three", "four"))


def graded(**grades: list[float | None]) -> GradeBank:
    """Return a bank with these grades of the first vote; None is not applicable."""
    criteria = {name: criterion(name) for name in grades}
    bank = GradeBank(4, 2).with_criteria(criteria.values(), TEXTS)
    return bank.with_entries(
        BankEntry(criteria[name].key, i, 0, grade) for name, column in grades.items() for i, grade in enumerate(column)
    )


def keys(*names: str) -> frozenset[str]:
    return frozenset(criterion(name).key for name in names)


def needs_of(*names: str, votes: int = 2) -> list[Need]:
    return [Need(criterion(n), position, vote, "r") for n in names for position in range(4) for vote in range(votes)]


def positions(needs: list[Need], name: str) -> set[int]:
    return {need.candidate for need in needs if need.criterion.text == name}


def test_the_first_heat_is_one_vote_on_the_candidates_of_a_criterions_own_pairs() -> None:
    races = [Entrant(keys("a"), PAIRS), Entrant(keys("b"), (ChosenPair(3, 1, "tied"),))]

    heat = first_heat(needs_of("a", "b"), races, is_pooled=False)

    assert {need.vote for need in heat} == {0}
    assert positions(heat, "a") == {0, 1, 2}
    assert positions(heat, "b") == {1, 3}


def test_siblings_that_share_requests_race_on_the_candidates_of_all_their_pairs() -> None:
    races = [Entrant(keys("a"), PAIRS[:1]), Entrant(keys("b"), (ChosenPair(3, 1, "tied"),))]

    heat = first_heat(needs_of("a", "b"), races, is_pooled=True)

    assert positions(heat, "a") == positions(heat, "b") == {0, 1, 3}


def test_without_new_criteria_there_is_no_heat() -> None:
    assert first_heat(needs_of("a"), [Entrant(frozenset(), PAIRS)], is_pooled=True) == []
    assert first_heat([], [], is_pooled=True) == []


@pytest.mark.parametrize(
    ("grades", "is_wrong"),
    [
        ([0.9, 0.1, 0.1, 0.0], False),
        ([0.1, 0.9, 0.1, 0.0], True),
        ([0.5, 0.5, 0.5, 0.0], False),
        ([0.5, 0.9, 0.0, 0.0], False),
        ([None, 0.9, 0.9, 0.0], False),
        ([0.5, None, 0.9, 0.0], True),
    ],
)
def test_a_criterion_loses_if_it_favours_the_worse_candidates_on_balance(
    grades: list[float | None], *, is_wrong: bool
) -> None:
    assert is_wrong_way(criterion("a"), PAIRS, graded(a=grades)) is is_wrong


def test_a_rubric_continues_without_the_criteria_that_lost() -> None:
    bank = graded(old=[0.1, 0.9, 0.9, 0], good=[0.9, 0.1, 0.1, 0], bad=[0.1, 0.9, 0.9, 0])

    remaining = without_losers(rubric("old", "good", "bad"), Entrant(keys("good", "bad"), PAIRS), bank)

    assert remaining is not None
    assert [c.text for c in remaining.criteria] == ["old", "good"], "an old criterion does not race"


def test_a_rubric_whose_new_criteria_all_lost_is_eliminated() -> None:
    bank = graded(old=[0.9, 0.1, 0.1, 0], bad=[0.1, 0.9, 0.9, 0])

    assert without_losers(rubric("old", "bad"), Entrant(keys("bad"), PAIRS), bank) is None


def test_a_rubric_that_lost_no_criterion_is_unchanged() -> None:
    original = rubric("good")

    assert without_losers(original, Entrant(keys("good"), PAIRS), graded(good=[0.9, 0.1, 0.1, 0])) is original


def backward(request: ProposeRequest) -> Proposal:
    """Propose, for two children of three, a criterion that favours the worse candidates of the pairs."""
    taken = {c.text for c in request.parent.criteria}
    gaps: dict[str, float] = {}
    for pair in request.pairs:
        better, worse = attributes(pair.better_text), attributes(pair.worse_text)
        for name in better.keys() - taken:
            gaps[name] = gaps.get(name, 0.0) + better[name] - worse[name]
    ranked = sorted(gaps, key=lambda name: (gaps[name], name))
    return Proposal((criterion(ranked[-1] if request.attempt % 3 == 0 else ranked[request.attempt % 2]),))


@pytest.mark.parametrize(("grading", "per_call"), [("pooled", 2), ("per_rubric", 10), ("per_criterion", 10)])
@pytest.mark.parametrize("votes", [1, 3])
def test_racing_saves_the_requests_of_dropped_criteria_and_adds_none(grading: str, per_call: int, votes: int) -> None:
    spent, saved = {True: 0, False: 0}, 0
    for seed in range(4):
        for racing in (True, False):
            verifier = FakeVerifier(noise=0.1)
            roles = replace(fake_roles(), verifier=verifier, proposer=ScriptedProposer(backward))
            settings = search_settings(
                evolution={"racing": racing, "mutations_per_round": 3, "free_modes": ()},
                grading={"grading": grading, "criteria_per_call": per_call, "num_votes": votes, "finalist_votes": 0},
                initializer={"initial_proposals": 0},
            )
            context = context_of(planted_prompt(12, kinds=14, seed=seed), roles, settings, generations=1, holdout=0)
            state, _ = run(context)
            assert len(verifier.requests) == state.calls.verifier
            spent[racing] += state.calls.verifier
            saved += state.calls.saved_by_racing

    assert saved > 0
    assert spent[False] - spent[True] == saved, "the saved requests are those that were not made"


def test_if_all_siblings_share_a_request_racing_never_costs_more() -> None:
    spent = []
    for racing in (True, False):
        roles = replace(fake_roles(), proposer=ScriptedProposer(backward))
        settings = search_settings(
            evolution={"racing": racing, "mutations_per_round": 3, "free_modes": ()},
            grading={"grading": "pooled", "criteria_per_call": 10, "num_votes": 1, "finalist_votes": 0},
            initializer={"initial_proposals": 0},
        )
        state, _ = run(context_of(planted_prompt(12, kinds=14, seed=2), roles, settings, generations=1, holdout=0))
        spent.append(state.calls.verifier)

    assert spent[0] <= spent[1]


def test_a_criterion_that_points_the_wrong_way_is_only_graded_in_its_heat() -> None:
    prompt = planted_prompt(12, kinds=8, seed=1)
    verifier = FakeVerifier()
    roles = replace(fake_roles(), verifier=verifier, proposer=ScriptedProposer(backward))
    settings = search_settings(
        evolution={"racing": True, "mutations_per_round": 3, "free_modes": ()},
        grading={"num_votes": 1, "finalist_votes": 0},
        initializer={"initial_proposals": 0},
    )

    state, _ = run(context_of(prompt, roles, settings, generations=1, holdout=0))

    alive = {key for individual in state.population for key in individual.rubric.keys}
    dropped = [key for key in state.bank.criteria if key not in alive]
    grades_by_key = {
        key: sum(entry.criterion_key == key for entry in state.bank.entries()) for key in state.bank.criteria
    }
    assert dropped
    assert all(grades_by_key[key] < 12 for key in dropped)
    assert all(grades_by_key[key] == 12 for key in alive)


def test_the_remaining_criteria_of_a_rubric_keep_their_proportions_after_a_race() -> None:
    original = Rubric(criteria=(criterion("old", 2), criterion("good", 1), criterion("bad", 1)))
    bank = graded(old=[0.1, 0.9, 0.9, 0], good=[0.9, 0.1, 0.1, 0], bad=[0.1, 0.9, 0.9, 0])

    remaining = without_losers(original, Entrant(keys("good", "bad"), PAIRS), bank)

    assert remaining is not None
    assert remaining.weights == pytest.approx((2 / 3, 1 / 3))
