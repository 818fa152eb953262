"""Schedules prefer successful mutation modes, and never give any mode less than its minimum weight."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.population import Ancestor
from autosr_lib.search.roles import MutationMode, Proposal, ProposeRequest, Roles
from autosr_lib.search.schedule import EXPLORING, SCHEDULED, ScheduleInputs, choose_modes, mode_weights
from autosr_lib.search.settings import MutationSettings, Schedule
from tests.fakes import FakeInitializer, FakeJudge, FakeVerifier, ScriptedProposer, attributes, criterion
from tests.worlds import context_of, planted_prompt, run, search_settings

FLOOR = 0.1


def scheduling(schedule: Schedule, **changes: float) -> MutationSettings:
    values = {
        "mutation_window_size": 10,
        "min_mutation_weight": FLOOR,
        "exploration_phase_ratio": 0.5,
        "diversity_threshold": 0.05,
        **changes,
    }
    return MutationSettings(adaptive_mutation=schedule, **values)


def ancestors_of(mode: str, *gains: float | None) -> list[Ancestor]:
    return [Ancestor(f"{mode}{i}", mode, i, ("p",), 0.5, gain, {"k": 1.0}) for i, gain in enumerate(gains)]


def weights(
    settings: MutationSettings, history: list[Ancestor], generation: int = 1, diversity: float = 1.0
) -> dict[MutationMode, float]:
    by_mode = mode_weights(settings, ScheduleInputs(generation, 10, diversity, history))
    return dict(zip(SCHEDULED, by_mode.tolist(), strict=True))


def chosen(
    settings: MutationSettings,
    count: int,
    generation: int = 1,
    history: Sequence[Ancestor] = (),
    diversity: float = 1.0,
) -> list[MutationMode]:
    inputs = ScheduleInputs(generation, 10, diversity, history)
    return choose_modes(count, settings, inputs, np.random.default_rng(0))


def test_fixed_cycles_through_the_modes_across_generations() -> None:
    settings = scheduling(Schedule.FIXED)

    modes = [mode for generation in (1, 2, 3) for mode in chosen(settings, 4, generation)]

    assert modes == list(SCHEDULED) * 2


def test_a_mode_whose_children_lose_gets_the_minimum_weight() -> None:
    harmful = [ancestors_of("decompose", *[-0.05] * n) for n in range(1, 6)]
    helpful = ancestors_of("raise_bar", 0.05, 0.02)

    weights_by_history = [weights(scheduling(Schedule.SUCCESS_FEEDBACK), [*helpful, *bad]) for bad in harmful]

    assert all(by_mode[MutationMode.DECOMPOSE] == FLOOR for by_mode in weights_by_history)
    assert all(by_mode[MutationMode.RAISE_BAR] == 1 for by_mode in weights_by_history)


def test_a_mode_weighs_more_the_more_often_and_the_more_it_gains() -> None:
    history = [
        *ancestors_of("raise_bar", 0.1, 0.1, 0.1),
        *ancestors_of("decompose", 0.1, -0.01, -0.01),
        *ancestors_of("anti_fluff", 0.02, -0.01, -0.01),
    ]

    by_mode = weights(scheduling(Schedule.SUCCESS_FEEDBACK), history)

    assert by_mode[MutationMode.RAISE_BAR] > by_mode[MutationMode.DECOMPOSE] > by_mode[MutationMode.ANTI_FLUFF] > FLOOR


def test_an_untried_mode_weighs_as_much_as_the_best() -> None:
    by_mode = weights(scheduling(Schedule.SUCCESS_FEEDBACK), ancestors_of("raise_bar", 0.1))

    assert set(by_mode.values()) == {1.0}


def test_only_the_latest_children_of_a_mode_count() -> None:
    settings = scheduling(Schedule.SUCCESS_FEEDBACK, mutation_window_size=3)
    reformed = ancestors_of("decompose", -0.1, -0.1, -0.1, 0.1, 0.1, 0.1)
    spoilt = ancestors_of("anti_fluff", 0.1, 0.1, 0.1, -0.1, -0.1, -0.1)

    by_mode = weights(settings, [*reformed, *spoilt])

    assert by_mode[MutationMode.DECOMPOSE] == 1
    assert by_mode[MutationMode.ANTI_FLUFF] == FLOOR


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_if_every_mode_loses_all_have_equal_weight(floor: float) -> None:
    settings = scheduling(Schedule.SUCCESS_FEEDBACK, min_mutation_weight=floor)
    history = [ancestor for mode in SCHEDULED for ancestor in ancestors_of(mode, -0.1, -0.2)]

    by_mode = weights(settings, history)

    assert len(set(by_mode.values())) == 1
    assert len(chosen(settings, 5, history=history)) == 5


def test_exploration_decay_uses_all_modes_equally_first_and_then_success() -> None:
    settings = scheduling(Schedule.EXPLORATION_DECAY, exploration_phase_ratio=0.5)
    history = [*ancestors_of("raise_bar", 0.1), *ancestors_of("decompose", -0.1)]

    decompose_weights = [
        weights(settings, history, generation)[MutationMode.DECOMPOSE] for generation in (1, 5, 6, 8, 10)
    ]

    assert decompose_weights[:2] == [1, 1]
    assert decompose_weights[1] > decompose_weights[2] > decompose_weights[3] > decompose_weights[4] == FLOOR


def test_diversity_driven_prefers_exploring_modes_only_if_diversity_is_low() -> None:
    settings = scheduling(Schedule.DIVERSITY_DRIVEN, diversity_threshold=0.05)
    history = ancestors_of("raise_bar", 0.1)

    alike, varied = (weights(settings, history, diversity=diversity) for diversity in (0.04, 0.06))

    assert {mode for mode, weight in alike.items() if weight == 1} == set(EXPLORING)
    assert {weight for mode, weight in alike.items() if mode not in EXPLORING} == {FLOOR}
    assert varied == weights(scheduling(Schedule.SUCCESS_FEEDBACK), history)


HISTORIES = st.lists(
    st.tuples(st.sampled_from([*SCHEDULED, MutationMode.REWEIGHT]), st.none() | st.floats(-1.5, 1.5)), max_size=30
)


@given(
    st.builds(
        MutationSettings,
        adaptive_mutation=st.sampled_from(Schedule),
        mutation_window_size=st.integers(1, 12),
        min_mutation_weight=st.floats(0, 1),
        exploration_phase_ratio=st.floats(0, 1),
        diversity_threshold=st.floats(0, 1),
    ),
    HISTORIES,
    st.integers(1, 10),
    st.floats(0, 1),
)
def test_any_history_gives_valid_weights(
    settings: MutationSettings, history: list[tuple[str, float | None]], generation: int, diversity: float
) -> None:
    ancestors = [ancestor for mode, gain in history for ancestor in ancestors_of(mode, gain)]

    by_mode = weights(settings, ancestors, generation, diversity)
    modes = chosen(settings, 7, generation, history=ancestors, diversity=diversity)

    assert all(settings.min_mutation_weight <= weight <= 1 for weight in by_mode.values())
    assert sum(by_mode.values()) > 0
    assert len(modes) == 7
    assert set(modes) <= set(SCHEDULED)


def test_modes_are_drawn_in_proportion_to_their_weights() -> None:
    history = [ancestor for mode in SCHEDULED for ancestor in ancestors_of(mode, 0.1 if mode == "raise_bar" else -0.1)]

    counts = Counter(chosen(scheduling(Schedule.SUCCESS_FEEDBACK), 3000, history=history))

    assert counts[MutationMode.RAISE_BAR] / 3000 == pytest.approx(1 / (1 + 5 * FLOOR), abs=0.03)


class ByQuality(FakeVerifier):
    """Grades by the candidate's only attribute, reversed for criteria that start with `wrong`."""

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        quality = attributes(request.candidate_text)["a0"]
        return {c.key: Grade(1 - quality if c.text.startswith("wrong") else quality) for c in request.criteria}


def contrary_decomposer(request: ProposeRequest) -> Proposal:
    side = "wrong" if request.mode is MutationMode.DECOMPOSE else "right"
    return Proposal((criterion(f"{side} {request.attempt}"),))


@pytest.mark.parametrize("racing", [False, True])
def test_a_mode_whose_children_all_lose_gets_the_minimum_weight_in_a_search(*, racing: bool) -> None:
    initializer = FakeInitializer(size=1)
    roles = Roles(initializer, ScriptedProposer(contrary_decomposer), ByQuality(), FakeJudge())
    settings = search_settings(
        evolution={"racing": racing, "mutations_per_round": 6, "free_modes": ()},
        mutation={"adaptive_mutation": "fixed"},
    )

    state, _ = run(context_of(planted_prompt(8, kinds=1, seed=3), roles, settings, generations=2))

    assert weights(scheduling(Schedule.SUCCESS_FEEDBACK), list(state.ancestors))[MutationMode.DECOMPOSE] == FLOOR
