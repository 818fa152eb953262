"""The ways to search that are compared: the baselines of issue 3, ours, and ours with each technique taken out."""

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
    """Return everything that is compared, in the order of the table."""
    return [
        Configuration("iterative", structure=Structure(mode=Mode.ITERATIVE)),
        as_elsewhere(),
        Configuration("ours"),
        Configuration("ours, 25% held out", holdout=HoldoutSettings()),
        *without_each_technique(),
    ]


def as_elsewhere() -> Configuration:
    """Return the nearest to the original: the rubric's own tail, its top two as contrast, no free modes, three votes.

    The grade bank cannot be taken out of the engine; the calls that it spared are counted all the same.
    """
    return Configuration(
        "evolutionary as elsewhere",
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
    """Return ours with one technique taken out, in turn, and with each that is off by default put in."""
    for mode in FREE_MODES:
        left = tuple(one for one in FREE_MODES if one is not mode)
        yield _ours(mode.value, evolution=EvolutionSettings(free_modes=left))
    for mode in (MutationMode.PRUNE, MutationMode.CROSSOVER):
        more = EvolutionSettings(free_modes=(*FREE_MODES, mode))
        yield Configuration(f"ours with {mode.value}", SearchSettings(evolution=more))
    yield Configuration("ours with racing", SearchSettings(evolution=EvolutionSettings(racing=True)))
    stop = StopSettings(stop_when_distinguished=True)
    yield Configuration("ours with stop when distinguished", SearchSettings(stop=stop))
    yield _ours("any free mode or refit", evolution=EvolutionSettings(free_modes=(), refit_on_all=False))
    yield _ours("misordered pairs (rtd)", mutation=MutationSettings(contrast=Contrast.RTD))
    yield _ours("tail weights (touching)", objective=ObjectiveSettings(pairs=PairsSetting.TAIL_TOUCHING))
    yield _ours("reference tail (rubric's)", objective=ObjectiveSettings(pairs=PairsSetting.RUBRIC_TAIL))
    yield _ours("pooled requests", grading=GradingSettings(grading=Grading.PER_RUBRIC))
    yield _ours("fresh votes", grading=GradingSettings(finalist_votes=0))
    yield _ours("first proposals", initializer=InitializerSettings(initial_proposals=0))


def _ours(
    taken_out: str,
    *,
    objective: ObjectiveSettings | None = None,
    grading: GradingSettings | None = None,
    initializer: InitializerSettings | None = None,
    evolution: EvolutionSettings | None = None,
    mutation: MutationSettings | None = None,
) -> Configuration:
    return Configuration(
        f"ours without {taken_out}",
        SearchSettings(
            objective=objective or ObjectiveSettings(),
            grading=grading or GradingSettings(),
            initializer=initializer or InitializerSettings(),
            evolution=evolution or EvolutionSettings(),
            mutation=mutation or MutationSettings(),
        ),
    )
