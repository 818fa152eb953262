"""The search configurations that are compared: baselines, ours, and ours without each of its techniques."""

from collections.abc import Iterable

from autosr_lib.evaluation.settings import Grading, GradingSettings, HoldoutSettings, ObjectiveSettings, PairsSetting
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.settings import (
    Contrast,
    EvolutionSettings,
    InitializerSettings,
    Mode,
    MutationSettings,
    SearchSettings,
    StopSettings,
    Structure,
)
from benchmarks.planted_search import Configuration

FREE_MODES = EvolutionSettings().free_modes


def configurations() -> list[Configuration]:
    """Return all configurations, in the order of the table."""
    return [
        Configuration("iterative", structure=Structure(mode=Mode.ITERATIVE)),
        original_algorithm(),
        Configuration("ours"),
        Configuration("ours, 25% held out", holdout=HoldoutSettings()),
        *without_each_technique(),
    ]


def original_algorithm() -> Configuration:
    """Return the closest configuration to the original system: rubric tail, contrast `rtd`, no free modes, three votes.

    The grade bank cannot be switched off, so the calls that it saved are added.
    """
    return Configuration(
        "original algorithm",
        SearchSettings(
            objective=ObjectiveSettings(pairs=PairsSetting.RUBRIC_TAIL, tie_credit=0),
            grading=GradingSettings(num_votes=3, finalist_votes=0, grading=Grading.PER_RUBRIC),
            initializer=InitializerSettings(initial_proposals=7),
            evolution=EvolutionSettings(mutations_per_round=6, free_modes=(), racing=False, refit_on_all=False),
            mutation=MutationSettings(contrast=Contrast.RTD),
        ),
        Structure(generations=12),
        has_bank=False,
    )


def without_each_technique() -> Iterable[Configuration]:
    """Yield ours without each technique in turn, and with each technique that is off by default."""
    for mode in FREE_MODES:
        remaining = tuple(other for other in FREE_MODES if other is not mode)
        yield _without(mode.value, evolution=EvolutionSettings(free_modes=remaining))
    for mode in (MutationMode.PRUNE, MutationMode.CROSSOVER):
        more = EvolutionSettings(free_modes=(*FREE_MODES, mode))
        yield Configuration(f"ours with {mode.value}", SearchSettings(evolution=more))
    yield Configuration("ours with racing", SearchSettings(evolution=EvolutionSettings(racing=True)))
    stop = StopSettings(stop_when_distinguished=True)
    yield Configuration("ours with stop when distinguished", SearchSettings(stop=stop))
    yield _without("any free mode or refit", evolution=EvolutionSettings(free_modes=(), refit_on_all=False))
    yield _without("misordered pairs (rtd)", mutation=MutationSettings(contrast=Contrast.RTD))
    yield _without("tail weights (touching)", objective=ObjectiveSettings(pairs=PairsSetting.TAIL_TOUCHING))
    yield _without("reference tail (rubric's)", objective=ObjectiveSettings(pairs=PairsSetting.RUBRIC_TAIL))
    yield _without("pooled requests", grading=GradingSettings(grading=Grading.PER_RUBRIC))
    yield _without("fresh votes", grading=GradingSettings(finalist_votes=0))
    yield _without("first proposals", initializer=InitializerSettings(initial_proposals=0))


def _without(
    removed: str,
    *,
    objective: ObjectiveSettings | None = None,
    grading: GradingSettings | None = None,
    initializer: InitializerSettings | None = None,
    evolution: EvolutionSettings | None = None,
    mutation: MutationSettings | None = None,
) -> Configuration:
    return Configuration(
        f"ours without {removed}",
        SearchSettings(
            objective=objective or ObjectiveSettings(),
            grading=grading or GradingSettings(),
            initializer=initializer or InitializerSettings(),
            evolution=evolution or EvolutionSettings(),
            mutation=mutation or MutationSettings(),
        ),
    )
