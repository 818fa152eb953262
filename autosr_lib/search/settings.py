"""Settings of the search: one frozen model a concern, a sentence a field, defaults of docs/method.md §8."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from autosr_lib.evaluation.settings import GradingSettings, ObjectiveSettings, Settings, Share
from autosr_lib.search.roles import MutationMode


class Mode(StrEnum):
    """The search algorithm."""

    EVOLUTIONARY = "evolutionary"
    ITERATIVE = "iterative"


class Scope(StrEnum):
    """Whether prompts evolve on their own, or only the hardest of all do."""

    PROMPT_LOCAL = "prompt_local"
    GLOBAL_BATCH = "global_batch"


class SelectionStrategy(StrEnum):
    """How parents are chosen."""

    RANK = "rank"
    TOURNAMENT = "tournament"
    TOP_K = "top_k"
    PARETO = "pareto"


class Schedule(StrEnum):
    """How the mutation mode of a child is chosen."""

    FIXED = "fixed"
    SUCCESS_FEEDBACK = "success_feedback"
    EXPLORATION_DECAY = "exploration_decay"
    DIVERSITY_DRIVEN = "diversity_driven"


class Contrast(StrEnum):
    """Which pairs the proposer is shown."""

    MISORDERED = "misordered"
    RTD = "rtd"


class InitializerStrategy(StrEnum):
    """Where first rubrics come from."""

    BACKEND = "backend"
    PRESET = "preset"


class Structure(Settings):
    """What decides which assets exist; it belongs to a search's definition, a run cannot change it."""

    mode: Mode = Mode.EVOLUTIONARY
    """`evolutionary`, or `iterative`: the paper's refinement as the baseline."""
    scope: Scope = Scope.PROMPT_LOCAL
    """`prompt_local`: every prompt on its own; `global_batch`: a generation evolves only the hardest prompts of all."""
    generations: int = Field(default=3, ge=0, le=99)
    """Generations, or in mode `iterative` rounds."""


class InitializerSettings(Settings):
    """Where first rubrics come from."""

    initializer_strategy: InitializerStrategy = InitializerStrategy.BACKEND
    """`backend` asks the initializer; `preset` reads them from a file."""
    preset_rubrics: str | None = None
    """A JSON file of rubrics by prompt id (`__default__` for the others), or an earlier output."""
    preset_strict: bool = False
    """Whether a prompt without a preset is an error, instead of asking the initializer."""
    initial_proposals: int = Field(default=4, ge=0, le=100)
    """Proposals from the first rubric that complete the first population."""


class EvolutionSettings(Settings):
    """The evolutionary search (docs/method.md §7)."""

    population_size: int = Field(default=8, ge=1, le=1000)
    """Individuals that survive a generation."""
    mutations_per_round: int = Field(default=3, ge=0, le=1000)
    """Children that the proposer is asked for in a generation."""
    mutation_parent_count: int = Field(default=3, ge=1, le=1000)
    """Parents chosen for the children of a generation."""
    elitism_count: int = Field(default=2, ge=1, le=1000)
    """Best individuals that always survive."""
    batch_size: Annotated[float, Field(gt=0)] = 3
    """Hardest prompts that evolve in a generation of scope `global_batch`: a count, or a fraction below 1."""
    free_modes: tuple[MutationMode, ...] = (MutationMode.REWEIGHT, MutationMode.GATHER)
    """Modes that cost no model call, tried in every generation on what has been graded: `reweight`, `gather`, `prune`,
    `crossover`. With `reweight` children's weights are fitted at birth."""
    racing: bool = False
    """Whether new criteria must first separate the pairs they were written for."""
    max_criteria: int = Field(default=16, ge=1, le=1000)
    """Most criteria in a rubric; a child that has more loses those of least weight."""
    finalists: int = Field(default=3, ge=1, le=100)
    """Best individuals that are graded again with fresh votes, beside the initial rubric."""
    refit_on_all: bool = True
    """Whether the chosen rubric's weights are fitted once more on all candidates, the hidden ones too."""


class SelectionSettings(Settings):
    """How parents are chosen."""

    selection_strategy: SelectionStrategy = SelectionStrategy.RANK
    """`rank`, `tournament`, `top_k` or `pareto`."""
    tournament_size: int = Field(default=3, ge=1, le=1000)
    """Individuals that meet in one tournament."""
    tournament_p: Share = 0.8
    """Chance that the better of a tournament wins."""
    top_k_ratio: float = Field(default=0.3, gt=0, le=1)
    """Share of the population from which `top_k` draws."""
    diversity_weight: Share = 0.3
    """Weight of a parent's distance to those already chosen, against its objective, in `top_k`."""


class MutationSettings(Settings):
    """Which mutation makes the next child."""

    adaptive_mutation: Schedule = Schedule.FIXED
    """`fixed`, `success_feedback`, `exploration_decay` or `diversity_driven`."""
    mutation_window_size: int = Field(default=10, ge=1, le=10_000)
    """Latest children of a mode that count as its record."""
    min_mutation_weight: Share = 0.1
    """Least weight of a mode beside the best one's 1."""
    exploration_phase_ratio: Share = 0.3
    """Share of the generations in which `exploration_decay` explores."""
    diversity_threshold: Share = 0.05
    """Population diversity below which `diversity_driven` explores."""
    contrast: Contrast | None = None
    """Pairs shown to the proposer: those the parent gets wrong (`misordered`), or the top two under the parent
    (`rtd`); by default `misordered`, in mode `iterative` `rtd` as in the paper."""
    contrast_pairs: int = Field(default=3, ge=1, le=50)
    """Most pairs shown to the proposer at once."""


class RefinementSettings(Settings):
    """The iterative baseline: the paper's refinement-through-differentiation."""

    accept_only_if_improve: bool = True
    """Whether a refined rubric must not be worse to be kept; the paper keeps every one."""


class StopSettings(Settings):
    """When a prompt has been searched enough."""

    max_generations: int | None = Field(default=None, ge=0)
    """Generations of this run; may lower the number of the search's definition, not raise it."""
    stagnation_generations: int = Field(default=6, ge=0)
    """Generations without a better best after which a prompt stops; 0 never."""
    stop_when_distinguished: bool = False
    """Whether a prompt stops when every counted pair that touches the tail is told apart with confidence."""
    distinguish_margin: float | None = Field(default=None, ge=0)
    """Signed margin that counts as told apart; by default the objective's `tie_tolerance`."""
    max_calls_per_prompt: int | None = Field(default=None, ge=1)
    """Requests, cached or not, that one prompt may make in the search."""


class Probing(StrEnum):
    """Which best rubrics are probed for what fools them."""

    OFF = "off"
    FREE = "free"
    ALL = "all"


class ProbeSettings(Settings):
    """Probes against gaming: padded, keyword-stuffed, over-long and instruction-injecting variants of good responses."""

    probing: Probing = Probing.FREE
    """Which best rubrics are probed: those whose criteria are all measured, at no cost; all, by the verifier; or none."""
    probe_candidates: int = Field(default=2, ge=1, le=32)
    """Best visible responses that are probed, each in four variants; with a verifier a request or two a variant."""
    probe_margin: float = Field(default=0.05, ge=0, le=1)
    """Mean rise of the score, on the unit scale, above which a kind of variant has gamed the rubric."""


class SearchSettings(Settings):
    """Everything that a search may be told, beside what decides which assets exist."""

    seed: int = Field(default=7, ge=0)
    """Seed of every random choice."""
    objective: ObjectiveSettings = ObjectiveSettings()
    """What makes one rubric better than another."""
    grading: GradingSettings = GradingSettings()
    """How candidates are graded."""
    initializer: InitializerSettings = InitializerSettings()
    """Where first rubrics come from."""
    evolution: EvolutionSettings = EvolutionSettings()
    """The evolutionary search."""
    selection: SelectionSettings = SelectionSettings()
    """How parents are chosen."""
    mutation: MutationSettings = MutationSettings()
    """Which mutation makes the next child."""
    refinement: RefinementSettings = RefinementSettings()
    """The iterative baseline."""
    stop: StopSettings = StopSettings()
    """When a prompt has been searched enough."""
    probing: ProbeSettings = ProbeSettings()
    """Probes of the best rubric against gaming."""
