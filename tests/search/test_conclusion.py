"""The best is named by votes it has not been chosen by, and measured on candidates that it has not seen."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from autosr_lib.domain.prompt import Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.search.conclusion import Conclusion, conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import SearchState
from tests.fakes import FakeInitializer, FakeVerifier, FlakyVerifier, attributes, fake_roles
from tests.worlds import planted_prompt, run, search_settings, task_of

FITTED = {"free_modes": ("reweight", "gather")}


def concluded(context: SearchContext, state: SearchState, **grading: object) -> tuple[Conclusion, FakeVerifier]:
    """Return the conclusion of a search under other settings of the end, and the verifier it asked."""
    verifier = FakeVerifier(noise=0.3)
    settings = context.settings.model_copy(update={"grading": context.settings.grading.model_copy(update=grading)})
    asked = replace(context, settings=settings, roles=replace(context.roles, verifier=verifier))
    return asyncio.run(conclude_search(asked, state)), verifier


def searched(
    seed: int = 0, prompt: Prompt | None = None, **changes: dict[str, object]
) -> tuple[SearchContext, SearchState, Conclusion]:
    context = task_of(
        prompt or planted_prompt(12, kinds=8, seed=seed), fake_roles(noise=0.3), search_settings(**changes)
    )
    return context, *run(context)


def test_the_finalists_and_the_first_rubric_are_graded_again_with_fresh_votes() -> None:
    context, state, _ = searched(grading={"num_votes": 1, "finalist_votes": 2})

    conclusion, verifier = concluded(context, state)

    visible = {context.prepared.texts[1][place] for place in context.prepared.visible}
    assert {request.vote for request in verifier.requests if request.candidate_text in visible} == {1, 2}
    names = {finalist.individual.fingerprint for finalist in conclusion.finalists}
    assert names == {individual.fingerprint for individual in state.population[:3]} | {state.initial.fingerprint}
    assert len(verifier.requests) == conclusion.calls.verifier


def test_the_best_is_the_finalist_of_most_merit_by_fresh_votes_alone() -> None:
    for seed in range(6):
        _, _, conclusion = searched(seed)

        merits = [finalist.fresh.merit for finalist in conclusion.finalists]
        assert merits == sorted(merits, reverse=True)
        assert conclusion.best.fresh.merit == merits[0]


def test_fresh_votes_undo_the_luck_of_the_votes_that_a_rubric_was_chosen_by() -> None:
    luck = []
    for seed in range(8):
        roles = fake_roles(noise=1.2)
        told = search_settings(
            grading={"finalist_votes": 3}, evolution={"finalists": 1}, objective={"pair_confidence_prior": 0}
        )
        state, conclusion = run(task_of(planted_prompt(10, kinds=8, seed=seed), roles, told))
        best = next(
            finalist for finalist in conclusion.finalists if finalist.individual.fingerprint == state.best.fingerprint
        )
        luck.append(state.best.evaluation.pair_accuracy - best.fresh.pair_accuracy)

    assert np.mean(luck) > 0.05


def test_without_fresh_votes_the_best_is_that_of_the_search() -> None:
    context, state, conclusion = searched(grading={"finalist_votes": 0})

    assert conclusion.best.individual == state.best
    assert conclusion.best.fresh == state.best.evaluation
    assert conclusion.calls.verifier == len(context.prepared.hidden) * -(-_criteria(conclusion, state) // 10)


def _criteria(conclusion: Conclusion, state: SearchState) -> int:
    return len({*conclusion.measured_rubric.keys, *state.initial.rubric.keys})


def test_a_fresh_vote_that_cannot_be_read_sends_all_finalists_back_to_the_searchs_votes() -> None:
    context, state, _ = searched()
    deaf = replace(context, roles=replace(context.roles, verifier=FlakyVerifier(unread=1)))

    conclusion = asyncio.run(conclude_search(deaf, state))

    assert conclusion.calls.failed == 1
    assert conclusion.best.individual == state.best
    assert all(finalist.fresh == finalist.individual.evaluation for finalist in conclusion.finalists)


@pytest.mark.parametrize("holdout_votes", [1, 2, 7])
def test_hidden_candidates_are_graded_at_the_end_by_the_votes_asked_for(holdout_votes: int) -> None:
    context, state, _ = searched(grading={"holdout_votes": 1, "num_votes": 1, "finalist_votes": 1})

    conclusion, verifier = concluded(context, state, holdout_votes=holdout_votes)

    hidden = {context.prepared.texts[1][place] for place in context.prepared.hidden}
    asked = [request for request in verifier.requests if request.candidate_text in hidden]
    assert {request.vote for request in asked} == set(range(holdout_votes))
    assert {request.candidate_text for request in asked} == hidden
    known = {*conclusion.measured_rubric.keys, *state.initial.rubric.keys}
    assert {c.key for request in asked for c in request.criteria} == known


def test_held_out_accuracy_counts_pairs_that_touch_a_hidden_candidate_for_both_rubrics() -> None:
    context, _, conclusion = searched(seed=3, grading={"finalist_votes": 0, "holdout_votes": 1}, evolution=FITTED)
    prepared, candidates = context.prepared, context.prepared.prompt.candidates

    # All by hand: with one vote everywhere, a score is the weighted mean of what that vote said.
    def score(place: int, rubric: Rubric) -> float:
        return sum(w * conclusion.bank.arrays[k][place, 0] for k, w in zip(rubric.keys, rubric.weights, strict=True))

    hidden = set(prepared.hidden.tolist())
    touching = [(i, j) for i in range(12) for j in range(i) if {i, j} & hidden]
    unseen = [(i, j) for i, j in touching if {i, j} <= hidden]

    def right(pairs: list[tuple[int, int]], rubric: Rubric) -> int:
        signs = (
            (score(i, rubric) - score(j, rubric)) * (candidates[i].quality - candidates[j].quality) for i, j in pairs
        )
        return sum(sign > 0 for sign in signs)

    assert conclusion.holdout.touching == (
        len(touching),
        right(touching, conclusion.initial.individual.rubric),
        right(touching, conclusion.measured_rubric),
    )
    assert conclusion.holdout.unseen == (
        3,
        right(unseen, conclusion.initial.individual.rubric),
        right(unseen, conclusion.measured_rubric),
    )


def test_what_visible_labels_alone_would_earn_is_reported_beside() -> None:
    context, _, conclusion = searched(seed=3)
    ranks = (
        np.argsort(np.argsort([context.prepared.prompt.candidates[i].quality for i in context.prepared.visible])) / 8
    )
    quality = {i: context.prepared.prompt.candidates[i].quality for i in range(12)}
    guess = dict.fromkeys(range(12), 0.5) | dict(zip(context.prepared.visible.tolist(), ranks, strict=True))

    earned = [
        0.5 if guess[i] == guess[j] else float((guess[i] > guess[j]) == (quality[i] > quality[j]))
        for i in range(12)
        for j in range(i)
        if {i, j} & set(context.prepared.hidden.tolist())
    ]

    assert conclusion.holdout.remembered == pytest.approx(sum(earned))


def test_without_hidden_candidates_nothing_is_held_out() -> None:
    roles = fake_roles()

    _, conclusion = run(task_of(planted_prompt(8), roles, holdout=0))

    assert conclusion.holdout.touching.pairs == 0


def test_the_rubric_to_use_has_the_measured_ones_criteria_or_fewer() -> None:
    changed = 0
    for seed in range(6):
        _, _, conclusion = searched(seed, evolution=FITTED)

        assert set(conclusion.rubric.keys) <= set(conclusion.measured_rubric.keys)
        changed += conclusion.rubric != conclusion.measured_rubric
        assert sum(conclusion.rubric.weights) == pytest.approx(1)

    assert changed > 0


def test_without_a_refit_the_rubric_to_use_is_the_measured_one() -> None:
    _, _, conclusion = searched(evolution={"refit_on_all": False})

    assert conclusion.rubric == conclusion.measured_rubric


def test_the_refit_looks_at_hidden_labels_and_the_measured_rubric_does_not() -> None:
    plain = planted_prompt(12, kinds=8, seed=1)
    context, _, before = searched(prompt=plain, evolution=FITTED)
    turned = tuple(
        candidate.model_copy(update={"metadata": {"quality": -(candidate.quality or 0)}})
        if i in context.prepared.hidden
        else candidate
        for i, candidate in enumerate(plain.candidates)
    )

    _, _, after = searched(prompt=plain.model_copy(update={"candidates": turned}), evolution=FITTED)

    assert after.measured_rubric == before.measured_rubric
    assert after.rubric != before.rubric


def test_every_candidate_has_a_score_under_the_rubric_to_use_and_the_highest_is_named() -> None:
    context, _, conclusion = searched()

    assert list(conclusion.candidate_scores) == [
        candidate.candidate_id for candidate in context.prepared.prompt.candidates
    ]
    scores = {name: score for name, score in conclusion.candidate_scores.items() if score is not None}
    assert len(scores) == 12
    assert conclusion.best_candidate_id == max(scores, key=scores.__getitem__)


def test_a_search_that_found_nothing_better_than_the_first_rubric_says_so() -> None:
    plain = planted_prompt(8, kinds=1)
    roles = replace(fake_roles(), initializer=FakeInitializer(size=1))

    state, conclusion = run(task_of(plain, roles, search_settings(evolution={"refit_on_all": False})))

    assert conclusion.best == conclusion.initial
    assert conclusion.measured_rubric == state.initial.rubric
    assert conclusion.holdout.touching.initial == conclusion.holdout.touching.best


def test_the_baseline_is_concluded_like_any_search_but_is_not_refitted() -> None:
    state, conclusion = run(task_of(planted_prompt(12, seed=2), fake_roles(noise=0.3), mode=Mode.ITERATIVE))

    assert {finalist.individual.fingerprint for finalist in conclusion.finalists} == {
        state.best.fingerprint,
        state.initial.fingerprint,
    }
    assert conclusion.rubric == conclusion.measured_rubric
    assert conclusion.holdout.touching.pairs > 0


def test_a_better_rubric_is_better_on_hidden_candidates_too() -> None:
    gains = []
    for seed in range(8):
        prompt = planted_prompt(12, seed=seed)
        assert len(attributes(prompt.candidates[0].text)) == 6
        _, conclusion = run(task_of(prompt, fake_roles(), search_settings(evolution=FITTED)))
        touching = conclusion.holdout.touching
        gains.append((touching.best - touching.initial) / touching.pairs)

    assert np.mean(gains) > 0.15
