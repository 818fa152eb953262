"""A search starts from one rubric, written by the initializer or read from a preset."""

import asyncio
from dataclasses import replace

import pytest

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import ReplyError, SettingsError
from autosr_lib.search.context import SearchContext
from autosr_lib.search.roles import InitializeRequest, MutationMode
from autosr_lib.search.search import DEFAULT_PRESET, start_search
from autosr_lib.search.settings import Mode
from autosr_lib.search.state import SearchState
from tests.fakes import FakeInitializer, FakeProposer, FakeVerifier, FlakyVerifier, criterion, fake_roles, rubric
from tests.worlds import context_of, planted_prompt, search_settings

PRESET = {"initializer_strategy": "preset"}


def started(context: SearchContext, presets: dict[str, Rubric] | None = None) -> SearchState:
    return asyncio.run(start_search(context, presets))


def test_the_initializer_is_asked_once_and_sees_the_visible_texts_in_random_order() -> None:
    prompt = planted_prompt(12)
    roles = fake_roles()
    context = context_of(prompt, roles)

    started(context)

    (request,) = roles.initializer.requests
    visible = [prompt.candidates[i].text for i in context.prepared.visible]
    assert sorted(request.candidate_texts) == sorted(visible)
    assert list(request.candidate_texts) != visible
    by_label = sorted(visible, key=lambda text: next(c.quality or 0 for c in prompt.candidates if c.text == text))
    assert list(request.candidate_texts) not in (by_label, by_label[::-1])


def test_the_initial_rubric_is_graded_by_the_votes_of_the_search_on_visible_candidates_only() -> None:
    verifier = FakeVerifier()
    context = context_of(
        planted_prompt(12), replace(fake_roles(), verifier=verifier), search_settings(grading={"num_votes": 2})
    )

    state = started(
        replace(context, settings=search_settings(initializer={"initial_proposals": 0}, grading={"num_votes": 2}))
    )

    assert state.initial.evaluation.is_complete
    assert len(verifier.requests) == state.calls.verifier == 2 * 9


def test_the_weights_of_the_initial_rubric_are_normalised() -> None:
    class Unnormalised(FakeInitializer):
        async def write(self, request: InitializeRequest) -> Rubric:
            return Rubric(
                criteria=(
                    Criterion(criterion_id="a", text="a0", weight=6),
                    Criterion(criterion_id="b", text="a1", weight=2),
                ),
                rubric_id="own",
                metadata={"note": "lost"},
            )

    state = started(context_of(planted_prompt(6), replace(fake_roles(), initializer=Unnormalised())))

    assert state.initial.rubric.weights == (0.75, 0.25)
    assert [c.weight for c in state.initial.rubric.criteria] == [0.75, 0.25]
    assert (state.initial.operator, state.initial.generation, state.initial.parents) == ("initial", 0, ())


@pytest.mark.parametrize("proposals", [0, 1, 7])
def test_proposals_over_contrasting_pairs_complete_the_first_population(proposals: int) -> None:
    proposer = FakeProposer()
    roles = replace(fake_roles(), proposer=proposer)
    settings = search_settings(initializer={"initial_proposals": proposals}, evolution={"free_modes": ()})

    state = started(context_of(planted_prompt(12, kinds=12), roles, settings))

    assert len(proposer.requests) == state.calls.proposer == proposals
    assert all(request.pairs and request.parent == state.initial.rubric for request in proposer.requests)
    assert len({request.attempt for request in proposer.requests}) == proposals
    assert MutationMode.WEIGHT_PERTURB not in {request.mode for request in proposer.requests}
    assert 1 <= len(state.population) <= 1 + proposals
    assert (state.generation, len(state.history)) == (0, 1)


def test_the_baseline_starts_with_the_initial_rubric_alone() -> None:
    roles = fake_roles()

    state = started(context_of(planted_prompt(8), roles, mode=Mode.ITERATIVE))

    assert state.population == (state.initial,)
    assert roles.proposer.requests == []
    assert [ancestor.operator for ancestor in state.ancestors] == ["initial"]


def test_a_preset_is_chosen_by_prompt_id_and_the_initializer_is_not_asked() -> None:
    roles = fake_roles()
    context = context_of(planted_prompt(8), roles, search_settings(initializer=PRESET))

    state = started(context, {"p1": rubric("a3"), DEFAULT_PRESET: rubric("a4")})

    assert [c.text for c in state.initial.rubric.criteria] == ["a3"]
    assert state.initial.operator == "preset"
    assert (roles.initializer.requests, state.calls.initializer) == ([], 0)


def test_the_default_preset_applies_to_prompts_without_their_own() -> None:
    context = context_of(planted_prompt(8), fake_roles(), search_settings(initializer=PRESET))

    state = started(context, {"another": rubric("a3"), DEFAULT_PRESET: rubric("a4")})

    assert [c.text for c in state.initial.rubric.criteria] == ["a4"]


def test_without_a_preset_the_initializer_is_asked_unless_presets_are_strict() -> None:
    lenient, strict = (
        context_of(planted_prompt(8), fake_roles(), search_settings(initializer=PRESET | {"preset_strict": is_strict}))
        for is_strict in (False, True)
    )

    assert started(lenient, {"another": rubric("a3")}).initial.operator == "initial"
    with pytest.raises(SettingsError, match="preset_rubrics has no rubric for prompt 'p1' and no '__default__'"):
        started(strict, {"another": rubric("a3")})


def test_presets_are_not_used_with_the_strategy_backend() -> None:
    state = started(context_of(planted_prompt(8), fake_roles()), {"p1": rubric("a3")})

    assert state.initial.operator == "initial"


def test_a_budget_too_small_to_grade_the_initial_rubric_is_a_settings_error() -> None:
    context = context_of(planted_prompt(8), fake_roles(), search_settings(stop={"max_calls_per_prompt": 5}))

    with pytest.raises(SettingsError, match="max_calls_per_prompt is 5, too few to grade the initial rubric"):
        started(context)


def test_an_unreadable_reply_of_the_initializer_is_raised() -> None:
    class Silent(FakeInitializer):
        async def write(self, request: InitializeRequest) -> Rubric:
            raise ReplyError("silence")

    with pytest.raises(ReplyError, match="silence"):
        started(context_of(planted_prompt(8), replace(fake_roles(), initializer=Silent())))


def test_missing_grades_of_the_initial_rubric_are_requested_again_with_the_first_children() -> None:
    roles = replace(fake_roles(), verifier=FlakyVerifier(unread=2))

    state = started(context_of(planted_prompt(8), roles))

    assert (state.calls.failed, state.calls.ungraded) == (2, 4)
    assert state.initial.evaluation.is_complete
    assert all(individual.evaluation.is_complete for individual in state.population)


def test_the_bank_stores_the_weights_of_the_initial_rubric_and_weight_one_for_new_criteria() -> None:
    context = context_of(planted_prompt(8), fake_roles(), search_settings(initializer=PRESET))
    preset = Rubric(criteria=(criterion("a0", 3), criterion("a1", 1)))

    bank = started(context, {"p1": preset}).bank

    written = {c.text: c.weight for c in bank.criteria.values()}
    assert (written.pop("a0"), written.pop("a1")) == (1.5, 0.5)
    assert set(written.values()) <= {1.0}
