"""The best rubric is chosen by fresh votes, and measured on hidden candidates."""

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
from tests.worlds import context_of, planted_prompt, run, search_settings

FITTED = {"free_modes": ("reweight", "gather")}


def concluded(context: SearchContext, state: SearchState, **grading: object) -> tuple[Conclusion, FakeVerifier]:
    """Return the conclusion of a search with changed grading settings, and the verifier that it used."""
    verifier = FakeVerifier(noise=0.3)
    settings = context.settings.model_copy(update={"grading": context.settings.grading.model_copy(update=grading)})
    changed = replace(context, settings=settings, roles=replace(context.roles, verifier=verifier))
    return asyncio.run(conclude_search(changed, state)), verifier


def searched(
    seed: int = 0, prompt: Prompt | None = None, **changes: dict[str, object]
) -> tuple[SearchContext, SearchState, Conclusion]:
    context = context_of(
        prompt or planted_prompt(12, kinds=8, seed=seed), fake_roles(noise=0.3), search_settings(**changes)
    )
    return context, *run(context)


def test_the_finalists_and_the_initial_rubric_are_graded_again_with_fresh_votes() -> None:
    context, state, _ = searched(grading={"num_votes": 1, "finalist_votes": 2})

    conclusion, verifier = concluded(context, state)

    visible = {context.prepared.texts[1][position] for position in context.prepared.visible}
    assert {request.vote for request in verifier.requests if request.candidate_text in visible} == {1, 2}
    names = {finalist.individual.fingerprint for finalist in conclusion.finalists}
    assert names == {individual.fingerprint for individual in state.population[:3]} | {state.initial.fingerprint}
    assert len(verifier.requests) == conclusion.calls.verifier


def test_the_best_is_the_finalist_of_highest_merit_by_fresh_votes_alone() -> None:
    for seed in range(6):
        _, _, conclusion = searched(seed)

        merits = [finalist.fresh.merit for finalist in conclusion.finalists]
        assert merits == sorted(merits, reverse=True)
        assert conclusion.best.fresh.merit == merits[0]


def test_fresh_votes_remove_the_optimism_of_the_votes_that_a_rubric_was_selected_by() -> None:
    optimism = []
    for seed in range(8):
        roles = fake_roles(noise=1.2)
        settings = search_settings(
            grading={"finalist_votes": 3}, evolution={"finalists": 1}, objective={"pair_confidence_prior": 0}
        )
        state, conclusion = run(context_of(planted_prompt(10, kinds=8, seed=seed), roles, settings))
        best = next(
            finalist for finalist in conclusion.finalists if finalist.individual.fingerprint == state.best.fingerprint
        )
        optimism.append(state.best.evaluation.pair_accuracy - best.fresh.pair_accuracy)

    assert np.mean(optimism) > 0.05


def test_without_fresh_votes_the_best_of_the_search_is_the_best() -> None:
    context, state, conclusion = searched(grading={"finalist_votes": 0})

    assert conclusion.best.individual == state.best
    assert conclusion.best.fresh == state.best.evaluation
    assert conclusion.calls.verifier == len(context.prepared.hidden) * -(-_criteria(conclusion, state) // 10)


def _criteria(conclusion: Conclusion, state: SearchState) -> int:
    return len({*conclusion.measured_rubric.keys, *state.initial.rubric.keys})


def test_if_a_fresh_vote_cannot_be_read_all_finalists_are_evaluated_by_the_votes_of_the_search() -> None:
    context, state, _ = searched()
    flaky = replace(context, roles=replace(context.roles, verifier=FlakyVerifier(unread=1)))

    conclusion = asyncio.run(conclude_search(flaky, state))

    assert conclusion.calls.failed == 1
    assert conclusion.best.individual == state.best
    assert all(finalist.fresh == finalist.individual.evaluation for finalist in conclusion.finalists)


@pytest.mark.parametrize("holdout_votes", [1, 2, 7])
def test_hidden_candidates_are_graded_by_the_configured_votes_at_the_end(holdout_votes: int) -> None:
    context, state, _ = searched(grading={"holdout_votes": 1, "num_votes": 1, "finalist_votes": 1})

    conclusion, verifier = concluded(context, state, holdout_votes=holdout_votes)

    hidden = {context.prepared.texts[1][position] for position in context.prepared.hidden}
    requests = [request for request in verifier.requests if request.candidate_text in hidden]
    assert {request.vote for request in requests} == set(range(holdout_votes))
    assert {request.candidate_text for request in requests} == hidden
    keys = {*conclusion.measured_rubric.keys, *state.initial.rubric.keys}
    assert {c.key for request in requests for c in request.criteria} == keys


def test_held_out_accuracy_counts_pairs_that_touch_a_hidden_candidate_for_both_rubrics() -> None:
    context, _, conclusion = searched(seed=3, grading={"finalist_votes": 0, "holdout_votes": 1}, evolution=FITTED)
    prepared, candidates = context.prepared, context.prepared.prompt.candidates

    # Computed by hand: with one vote, a score is the weighted mean of its grades.
    def score(position: int, rubric: Rubric) -> float:
        return sum(w * conclusion.bank.arrays[k][position, 0] for k, w in zip(rubric.keys, rubric.weights, strict=True))

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


def test_the_credit_of_the_visible_labels_alone_is_reported() -> None:
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

    _, conclusion = run(context_of(planted_prompt(8), roles, holdout=0))

    assert conclusion.holdout.touching.pairs == 0


def test_the_rubric_to_use_has_no_criteria_beyond_those_of_the_measured_rubric() -> None:
    changed = 0
    for seed in range(6):
        _, _, conclusion = searched(seed, evolution=FITTED)

        assert set(conclusion.rubric.keys) <= set(conclusion.measured_rubric.keys)
        changed += conclusion.rubric != conclusion.measured_rubric
        assert sum(conclusion.rubric.weights) == pytest.approx(1)

    assert changed > 0


def test_without_a_refit_the_rubric_to_use_is_the_measured_rubric() -> None:
    _, _, conclusion = searched(evolution={"refit_on_all": False})

    assert conclusion.rubric == conclusion.measured_rubric


def test_hidden_labels_affect_the_refit_and_not_the_measured_rubric() -> None:
    plain = planted_prompt(12, kinds=8, seed=1)
    context, _, before = searched(prompt=plain, evolution=FITTED)
    reversed_labels = tuple(
        candidate.model_copy(update={"metadata": {"quality": -(candidate.quality or 0)}})
        if i in context.prepared.hidden
        else candidate
        for i, candidate in enumerate(plain.candidates)
    )

    _, _, after = searched(prompt=plain.model_copy(update={"candidates": reversed_labels}), evolution=FITTED)

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


def test_if_nothing_is_better_the_initial_rubric_is_the_best() -> None:
    plain = planted_prompt(8, kinds=1)
    roles = replace(fake_roles(), initializer=FakeInitializer(size=1))

    state, conclusion = run(context_of(plain, roles, search_settings(evolution={"refit_on_all": False})))

    assert conclusion.best == conclusion.initial
    assert conclusion.measured_rubric == state.initial.rubric
    assert conclusion.holdout.touching.initial == conclusion.holdout.touching.best


def test_the_baseline_is_concluded_in_the_same_way_but_not_refitted() -> None:
    state, conclusion = run(context_of(planted_prompt(12, seed=2), fake_roles(noise=0.3), mode=Mode.ITERATIVE))

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
        _, conclusion = run(context_of(prompt, fake_roles(), search_settings(evolution=FITTED)))
        touching = conclusion.holdout.touching
        gains.append((touching.best - touching.initial) / touching.pairs)

    assert np.mean(gains) > 0.15
