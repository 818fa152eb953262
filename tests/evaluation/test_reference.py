"""Preferences come from labels or from a judge that sees both orders; the reference ranks candidates by them."""

import asyncio
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.errors import ReplyError, SettingsError
from autosr_lib.evaluation.reference import (
    PromptPreferences,
    build_reference,
    choose_judge,
    gather_preferences,
    intransitive_share,
    mid_rank_quantiles,
    pair_design,
    tail_size,
)
from autosr_lib.evaluation.roles import JudgeRequest
from autosr_lib.evaluation.settings import JudgeSetting, ReferenceSettings
from tests.fakes import FakeJudge, prompt_with


def labelled(*labels: dict[str, float]) -> Prompt:
    candidates = tuple(
        Candidate(candidate_id=f"c{i}", text=f"clear={i / 10}", metadata=label) for i, label in enumerate(labels)
    )
    return Prompt(prompt_id="p", prompt="t", candidates=candidates)


def unlabelled(n: int) -> Prompt:
    return labelled(*({} for _ in range(n)))


def gathered(prompt: Prompt, judge: FakeJudge, **changes: object) -> PromptPreferences:
    values = {"judge": "auto", "pairs_per_candidate": 3.0, "max_pairs": None, **changes}
    return asyncio.run(gather_preferences(prompt, ReferenceSettings(**values), judge))


def judged(first: str, second: str, verdict: Verdict) -> Preference:
    return Preference(first=first, second=second, verdict=verdict, forward=verdict, backward=verdict)


@pytest.mark.parametrize(
    ("labels", "source"),
    [
        ([{"rank": 1, "quality": 0.1}, {"rank": 2, "quality": 0.9}], JudgeSetting.RANK),
        ([{"rank": 1, "quality": 0.1}, {"quality": 0.9}], JudgeSetting.QUALITY),
        ([{"rank": 1}, {"quality": 0.9}], JudgeSetting.MODEL),
        ([{"rank": 1}, {}], JudgeSetting.MODEL),
        ([{}, {}], JudgeSetting.MODEL),
    ],
)
def test_labels_are_used_only_if_every_candidate_has_one(labels: list[dict[str, float]], source: JudgeSetting) -> None:
    preferences = gathered(labelled(*labels), FakeJudge())

    assert preferences.judge is source


@pytest.mark.parametrize("setting", [JudgeSetting.RANK, JudgeSetting.QUALITY])
def test_a_setting_that_requires_missing_labels_is_an_error(setting: JudgeSetting) -> None:
    with pytest.raises(SettingsError, match=rf"judge is '{setting}', but not every candidate of prompt 'p'"):
        choose_judge(labelled({"rank": 1, "quality": 1}, {}), setting)


def test_the_setting_can_choose_the_judge_in_spite_of_labels() -> None:
    assert choose_judge(labelled({"rank": 1}, {"rank": 2}), JudgeSetting.MODEL) is JudgeSetting.MODEL


def test_ranks_order_every_pair_without_a_call_and_rank_1_is_best() -> None:
    judge = FakeJudge()

    preferences = gathered(labelled({"rank": 2}, {"rank": 1}, {"rank": 2}), judge)

    assert [p.verdict for p in preferences.preferences] == [Verdict.SECOND, Verdict.TIE, Verdict.FIRST]
    assert (preferences.calls, preferences.flip_rate, judge.requests) == (0, None, [])


def test_qualities_order_every_pair_and_the_highest_is_best() -> None:
    preferences = gathered(labelled({"quality": 0.2}, {"quality": 0.7}), FakeJudge())

    assert [p.verdict for p in preferences.preferences] == [Verdict.SECOND]


def test_the_judge_sees_each_pair_once_in_each_order() -> None:
    judge = FakeJudge()

    preferences = gathered(unlabelled(5), judge)

    shown = Counter((request.first_text, request.second_text) for request in judge.requests)
    assert set(shown.values()) == {1}
    assert {(b, a) for a, b in shown} == set(shown)
    assert len(judge.requests) == preferences.calls == 2 * 10
    assert [p.verdict for p in preferences.preferences] == [Verdict.SECOND] * 10


def test_a_judge_that_always_prefers_the_first_text_gives_only_ties_and_a_flip_rate_of_1() -> None:
    preferences = gathered(unlabelled(4), FakeJudge(bias=1.0))

    assert {p.verdict for p in preferences.preferences} == {Verdict.TIE}
    assert preferences.flip_rate == 1
    assert all((p.forward, p.backward) == (Verdict.FIRST, Verdict.SECOND) for p in preferences.preferences)


def test_a_tie_in_one_order_and_a_preference_in_the_other_is_a_tie() -> None:
    preferences = gathered(unlabelled(2), FakeJudge(bias=0.1))

    assert preferences.preferences[0].verdict is Verdict.TIE
    assert preferences.preferences[0].is_flip


def test_a_pair_with_an_unreadable_reply_is_counted_as_unjudged() -> None:
    class UnreadableJudge(FakeJudge):
        async def prefer(self, request: JudgeRequest) -> Verdict:
            verdict = await super().prefer(request)
            if request.first_text.startswith("clear=0.0"):
                raise ReplyError("no verdict")
            return verdict

    preferences = gathered(unlabelled(3), UnreadableJudge())

    assert preferences.unjudged == 2
    assert [(p.first, p.second) for p in preferences.preferences] == [("c1", "c2")]
    assert preferences.calls == 6


def test_the_pair_budget_limits_the_judge() -> None:
    judge = FakeJudge()

    gathered(unlabelled(10), judge, max_pairs=12)

    assert len(judge.requests) == 2 * 12


def test_without_max_pairs_the_budget_depends_on_the_number_of_candidates() -> None:
    assert len(gathered(unlabelled(12), FakeJudge(), pairs_per_candidate=1.5).preferences) == 18


def test_too_few_pairs_to_connect_all_candidates_are_rejected() -> None:
    with pytest.raises(ValueError, match="at least 1 connects all candidates"):
        ReferenceSettings(pairs_per_candidate=0.5)


@given(st.integers(2, 24), st.integers(0, 300), st.text(max_size=5))
def test_any_design_spends_its_budget_on_distinct_pairs_that_connect_all_and_are_balanced(
    n: int, extra: int, name: str
) -> None:
    budget = n - 1 + extra

    design = pair_design(n, budget, name)

    assert len(set(design)) == len(design) == min(budget, n * (n - 1) // 2)
    assert all(0 <= i < j < n for i, j in design)
    reached = {0}
    for _ in range(n):
        reached |= {k for pair in design if reached & set(pair) for k in pair}
    assert reached == set(range(n))
    pairs_by_candidate = Counter(k for pair in design for k in pair)
    assert max(pairs_by_candidate.values()) - min(pairs_by_candidate.values()) <= 2


def test_a_design_is_reproducible_and_differs_between_names() -> None:
    assert pair_design(9, 12, "p1") == pair_design(9, 12, "p1")
    assert pair_design(9, 12, "p1") != pair_design(9, 12, "p2")


def test_the_share_of_cycles_counts_triples_whose_pairs_are_all_ordered() -> None:
    cycle = [judged("a", "b", Verdict.FIRST), judged("b", "c", Verdict.FIRST), judged("a", "c", Verdict.SECOND)]
    order = [judged("a", "b", Verdict.FIRST), judged("b", "c", Verdict.FIRST), judged("a", "c", Verdict.FIRST)]
    # a > b > c > a is a cycle; d loses to all three, which makes three more triples.
    mixed = [*cycle, *(judged(name, "d", Verdict.FIRST) for name in "abc")]

    assert intransitive_share(cycle) == 1
    assert intransitive_share(order) == 0
    assert intransitive_share(mixed) == pytest.approx(1 / 4)


def test_without_a_complete_triple_there_is_no_share_of_cycles() -> None:
    tied = [judged("a", "b", Verdict.FIRST), judged("b", "c", Verdict.FIRST), judged("a", "c", Verdict.TIE)]

    assert intransitive_share(tied) is None
    assert intransitive_share([]) is None


def test_quantiles_are_mid_ranks_and_equal_for_ties() -> None:
    np.testing.assert_allclose(mid_rank_quantiles(np.array([3.0, 1.0, 1.0, 0.0])), [1, 0.5, 0.5, 0])
    np.testing.assert_allclose(mid_rank_quantiles(np.array([2.0, 2.0, 1.0])), [0.75, 0.75, 0])
    np.testing.assert_allclose(mid_rank_quantiles(np.array([7.0])), [1])


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=12))
def test_any_quantiles_keep_the_order_and_have_mean_one_half(merits: list[int]) -> None:
    quantiles = mid_rank_quantiles(np.array(merits, dtype=float))

    assert quantiles.mean() == pytest.approx(0.5)
    assert ((quantiles >= 0) & (quantiles <= 1)).all()
    gaps, differences = np.subtract.outer(quantiles, quantiles), np.subtract.outer(merits, merits)
    assert (np.sign(gaps) == np.sign(differences)).all()


@given(st.integers(0, 200), st.floats(0, 1))
def test_a_tail_is_the_given_fraction_but_at_least_two_and_at_most_all(n: int, fraction: float) -> None:
    size = tail_size(n, fraction)

    assert min(n, 2) <= size <= n
    assert size == min(n, 2) or size >= fraction * n


def test_candidates_tied_at_the_border_of_the_tail_are_in_it() -> None:
    prompt = prompt_with([5, 4, 4, 4, 1])

    tail = build_reference(prompt.candidates, gathered(prompt, FakeJudge())).tail(0.25)

    assert tail.tolist() == [True, True, True, True, False]


def test_preferences_that_involve_other_candidates_are_ignored() -> None:
    prompt = prompt_with([4, 3, 2, 1])
    preferences = gathered(prompt, FakeJudge())

    reference = build_reference(prompt.candidates[1:], preferences)

    np.testing.assert_allclose(reference.quantiles, [1, 0.5, 0])
    assert set(zip(reference.better.tolist(), reference.worse.tolist(), strict=True)) == {(0, 1), (0, 2), (1, 2)}


def test_the_fit_of_judged_pairs_uses_only_pairs_of_the_given_candidates() -> None:
    candidates = unlabelled(3).candidates
    inside = [judged("c0", "c1", Verdict.FIRST)]
    outside = [judged("c1", "c2", Verdict.FIRST), judged("c2", "c0", Verdict.FIRST)]

    with_outside, without = (
        build_reference(candidates[:2], PromptPreferences(JudgeSetting.MODEL, tuple(pairs)))
        for pairs in ([*inside, *outside], inside)
    )

    assert with_outside.quantiles.tolist() == without.quantiles.tolist() == [1, 0]


def test_a_judged_pair_keeps_its_verdict_even_if_the_fit_disagrees() -> None:
    # c0 beats all but c3, which loses to all others: the fit puts c0 on top.
    pairs = [("c0", "c1"), ("c0", "c2"), ("c1", "c3"), ("c2", "c3"), ("c3", "c0"), ("c1", "c2")]
    preferences = PromptPreferences(JudgeSetting.MODEL, tuple(judged(a, b, Verdict.FIRST) for a, b in pairs))

    reference = build_reference(unlabelled(4).candidates, preferences)

    assert reference.quantiles[0] > reference.quantiles[3]
    assert (3, 0) in set(zip(reference.better.tolist(), reference.worse.tolist(), strict=True))


def test_pairs_are_diverse_if_their_sources_differ() -> None:
    prompt = prompt_with([3, 2, 1])  # the sources are a, b, a

    reference = build_reference(prompt.candidates, gathered(prompt, FakeJudge()))

    diverse = dict(
        zip(zip(reference.better.tolist(), reference.worse.tolist(), strict=True), reference.is_diverse, strict=True)
    )
    assert diverse == {(0, 1): True, (0, 2): False, (1, 2): True}


def test_a_prompt_whose_candidates_are_all_tied_has_no_pairs() -> None:
    prompt = prompt_with([1, 1, 1])

    reference = build_reference(prompt.candidates, gathered(prompt, FakeJudge()))

    assert len(reference.better) == 0
    assert reference.quantiles.tolist() == [0.5] * 3
