"""A schedule gives the next child to a mode that does good, and never forgets the others altogether."""

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
from tests.worlds import planted_prompt, run, search_settings, task_of

FLOOR = 0.1


def scheduling(schedule: Schedule, **changes: float) -> MutationSettings:
    told = {
        "mutation_window_size": 10,
        "min_mutation_weight": FLOOR,
        "exploration_phase_ratio": 0.5,
        "diversity_threshold": 0.05,
        **changes,
    }
    return MutationSettings(adaptive_mutation=schedule, **told)


def born(mode: str, *gains: float | None) -> list[Ancestor]:
    return [Ancestor(f"{mode}{i}", mode, i, ("p",), 0.5, gain, {"k": 1.0}) for i, gain in enumerate(gains)]


def weights(
    settings: MutationSettings, history: list[Ancestor], generation: int = 1, diversity: float = 1.0
) -> dict[MutationMode, float]:
    found = mode_weights(settings, ScheduleInputs(generation, 10, diversity, history))
    return dict(zip(SCHEDULED, found.tolist(), strict=True))


def chosen(
    settings: MutationSettings,
    count: int,
    generation: int = 1,
    history: Sequence[Ancestor] = (),
    diversity: float = 1.0,
) -> list[MutationMode]:
    inputs = ScheduleInputs(generation, 10, diversity, history)
    return choose_modes(count, settings, inputs, np.random.default_rng(0))


def test_fixed_cycles_through_the_modes_child_by_child_over_generations() -> None:
    settings = scheduling(Schedule.FIXED)

    modes = [mode for generation in (1, 2, 3) for mode in chosen(settings, 4, generation)]

    assert modes == list(SCHEDULED) * 2


def test_a_mode_that_does_harm_loses_weight_down_to_the_floor() -> None:
    harmful = [born("decompose", *[-0.05] * n) for n in range(1, 6)]
    helpful = born("raise_bar", 0.05, 0.02)

    found = [weights(scheduling(Schedule.SUCCESS_FEEDBACK), [*helpful, *bad]) for bad in harmful]

    assert all(one[MutationMode.DECOMPOSE] == FLOOR for one in found)
    assert all(one[MutationMode.RAISE_BAR] == 1 for one in found)


def test_the_more_often_and_the_more_a_mode_gains_the_more_it_weighs() -> None:
    history = [
        *born("raise_bar", 0.1, 0.1, 0.1),
        *born("decompose", 0.1, -0.01, -0.01),
        *born("anti_fluff", 0.02, -0.01, -0.01),
    ]

    found = weights(scheduling(Schedule.SUCCESS_FEEDBACK), history)

    assert found[MutationMode.RAISE_BAR] > found[MutationMode.DECOMPOSE] > found[MutationMode.ANTI_FLUFF] > FLOOR


def test_a_mode_that_was_never_tried_counts_as_the_best() -> None:
    found = weights(scheduling(Schedule.SUCCESS_FEEDBACK), born("raise_bar", 0.1))

    assert set(found.values()) == {1.0}


def test_only_the_latest_children_are_a_modes_record() -> None:
    settings = scheduling(Schedule.SUCCESS_FEEDBACK, mutation_window_size=3)
    reformed = born("decompose", -0.1, -0.1, -0.1, 0.1, 0.1, 0.1)
    spoilt = born("anti_fluff", 0.1, 0.1, 0.1, -0.1, -0.1, -0.1)

    found = weights(settings, [*reformed, *spoilt])

    assert found[MutationMode.DECOMPOSE] == 1
    assert found[MutationMode.ANTI_FLUFF] == FLOOR


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_when_every_mode_does_harm_all_are_tried_alike(floor: float) -> None:
    settings = scheduling(Schedule.SUCCESS_FEEDBACK, min_mutation_weight=floor)
    history = [ancestor for mode in SCHEDULED for ancestor in born(mode, -0.1, -0.2)]

    found = weights(settings, history)

    assert len(set(found.values())) == 1
    assert len(chosen(settings, 5, history=history)) == 5


def test_exploration_decay_explores_first_and_then_trusts_what_was_learnt() -> None:
    settings = scheduling(Schedule.EXPLORATION_DECAY, exploration_phase_ratio=0.5)
    history = [*born("raise_bar", 0.1), *born("decompose", -0.1)]

    found = [weights(settings, history, generation)[MutationMode.DECOMPOSE] for generation in (1, 5, 6, 8, 10)]

    assert found[:2] == [1, 1]
    assert found[1] > found[2] > found[3] > found[4] == FLOOR


def test_diversity_driven_explores_only_when_the_population_has_grown_alike() -> None:
    settings = scheduling(Schedule.DIVERSITY_DRIVEN, diversity_threshold=0.05)
    history = born("raise_bar", 0.1)

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
def test_any_history_gives_weights_to_draw_from(
    settings: MutationSettings, history: list[tuple[str, float | None]], generation: int, diversity: float
) -> None:
    known = [ancestor for mode, gain in history for ancestor in born(mode, gain)]

    found = weights(settings, known, generation, diversity)
    modes = chosen(settings, 7, generation, history=known, diversity=diversity)

    assert all(settings.min_mutation_weight <= weight <= 1 for weight in found.values())
    assert sum(found.values()) > 0
    assert len(modes) == 7
    assert set(modes) <= set(SCHEDULED)


def test_modes_are_drawn_by_their_weights() -> None:
    history = [ancestor for mode in SCHEDULED for ancestor in born(mode, 0.1 if mode == "raise_bar" else -0.1)]

    often = Counter(chosen(scheduling(Schedule.SUCCESS_FEEDBACK), 3000, history=history))

    assert often[MutationMode.RAISE_BAR] / 3000 == pytest.approx(1 / (1 + 5 * FLOOR), abs=0.03)


class ByQuality(FakeVerifier):
    """Grades by the candidate's only attribute: as it is, or turned round for criteria that begin with `wrong`."""

    async def grade(self, request: GradeRequest) -> Mapping[str, Grade]:
        quality = attributes(request.candidate_text)["a0"]
        return {c.key: Grade(1 - quality if c.text.startswith("wrong") else quality) for c in request.criteria}


def contrary_decomposer(request: ProposeRequest) -> Proposal:
    side = "wrong" if request.mode is MutationMode.DECOMPOSE else "right"
    return Proposal((criterion(f"{side} {request.attempt}"),))


@pytest.mark.parametrize("racing", [False, True])
def test_a_mode_whose_children_are_all_harmful_loses_weight_in_a_search(*, racing: bool) -> None:
    initializer = FakeInitializer(size=1)
    roles = Roles(initializer, ScriptedProposer(contrary_decomposer), ByQuality(), FakeJudge())
    settings = search_settings(
        evolution={"racing": racing, "mutations_per_round": 6, "free_modes": ()},
        mutation={"adaptive_mutation": "fixed"},
    )

    state, _ = run(task_of(planted_prompt(8, kinds=1, seed=3), roles, settings, generations=2))

    assert weights(scheduling(Schedule.SUCCESS_FEEDBACK), list(state.ancestors))[MutationMode.DECOMPOSE] == FLOOR
