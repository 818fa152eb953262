"""Settings of the search; the defaults are those of docs/method.md §8."""

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
    """Which prompts a generation evolves."""

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
    """Where initial rubrics come from."""

    BACKEND = "backend"
    PRESET = "preset"


class Structure(Settings):
    """Settings that determine which assets exist. They belong to the search's definition; a run cannot change them."""

    mode: Mode = Mode.EVOLUTIONARY
    """`evolutionary`, or `iterative`: the refinement of the paper, as a baseline."""
    scope: Scope = Scope.PROMPT_LOCAL
    """`prompt_local`: every prompt evolves on its own; `global_batch`: a generation evolves only the hardest prompts."""
    generations: int = Field(default=3, ge=0, le=99)
    """Number of generations, or of rounds in mode `iterative`."""


class InitializerSettings(Settings):
    """Where initial rubrics come from."""

    initializer_strategy: InitializerStrategy = InitializerStrategy.BACKEND
    """`backend`: the initializer writes them; `preset`: they are read from a file."""
    preset_rubrics: str | None = None
    """A JSON file of rubrics by prompt id (`__default__` for all other prompts), or the output of an earlier search."""
    preset_strict: bool = False
    """Whether a prompt without a preset is an error; otherwise the initializer writes its rubric."""
    initial_proposals: int = Field(default=4, ge=0, le=100)
    """Number of proposals from the initial rubric that complete the first population."""


class EvolutionSettings(Settings):
    """The evolutionary search (docs/method.md §7)."""

    population_size: int = Field(default=8, ge=1, le=1000)
    """Number of individuals that survive a generation."""
    mutations_per_round: int = Field(default=3, ge=0, le=1000)
    """Number of children in a generation."""
    mutation_parent_count: int = Field(default=3, ge=1, le=1000)
    """Number of parents in a generation."""
    elitism_count: int = Field(default=2, ge=1, le=1000)
    """Number of best individuals that always survive."""
    batch_size: Annotated[float, Field(gt=0)] = 3
    """Number of hardest prompts that a generation evolves in scope `global_batch`, or, if below 1, their fraction."""
    free_modes: tuple[MutationMode, ...] = (MutationMode.REWEIGHT, MutationMode.GATHER)
    """Mutation modes without model calls, applied in every generation to existing grades: `reweight`, `gather`, `prune`,
    `crossover`. With `reweight`, the weights of new children are fitted too."""
    racing: bool = False
    """Whether new criteria must first order the pairs they were written for before they are graded completely."""
    max_criteria: int = Field(default=16, ge=1, le=1000)
    """Maximum number of criteria in a rubric; if a child has more, those of least weight are dropped."""
    finalists: int = Field(default=3, ge=1, le=100)
    """Number of best individuals graded again with fresh votes, in addition to the initial rubric."""
    refit_on_all: bool = True
    """Whether the weights of the chosen rubric are fitted again on all candidates, including the hidden ones."""


class SelectionSettings(Settings):
    """How parents are chosen."""

    selection_strategy: SelectionStrategy = SelectionStrategy.RANK
    """`rank`, `tournament`, `top_k` or `pareto`."""
    tournament_size: int = Field(default=3, ge=1, le=1000)
    """Number of individuals in a tournament."""
    tournament_p: Share = 0.8
    """Probability that the better individual of a tournament wins."""
    top_k_ratio: float = Field(default=0.3, gt=0, le=1)
    """Best share of the population from which `top_k` chooses."""
    diversity_weight: Share = 0.3
    """In `top_k`, the weight of a parent's distance to those already chosen; its objective has the remaining weight."""


class MutationSettings(Settings):
    """Which mutation mode creates each child."""

    adaptive_mutation: Schedule = Schedule.FIXED
    """`fixed`, `success_feedback`, `exploration_decay` or `diversity_driven`."""
    mutation_window_size: int = Field(default=10, ge=1, le=10_000)
    """Number of a mode's latest children that its success is measured on."""
    min_mutation_weight: Share = 0.1
    """Minimum weight of a mode, where the best mode has weight 1."""
    exploration_phase_ratio: Share = 0.3
    """Share of the generations in which `exploration_decay` uses all modes equally."""
    diversity_threshold: Share = 0.05
    """Population diversity below which `diversity_driven` prefers exploring modes."""
    contrast: Contrast | None = None
    """Pairs shown to the proposer: those that the parent orders wrongly (`misordered`), or the two best under the parent
    (`rtd`). Default: `misordered`; in mode `iterative` `rtd`, as in the paper."""
    contrast_pairs: int = Field(default=3, ge=1, le=50)
    """Maximum number of pairs shown to the proposer at once."""


class RefinementSettings(Settings):
    """The iterative baseline: refinement-through-differentiation, from the paper."""

    accept_only_if_improve: bool = True
    """Whether a refined rubric is only kept if it is not worse; the paper keeps every one."""


class StopSettings(Settings):
    """When the search of a prompt stops."""

    max_generations: int | None = Field(default=None, ge=0)
    """Maximum number of generations in this run; it cannot exceed the number in the search's definition."""
    stagnation_generations: int = Field(default=6, ge=0)
    """Number of generations without improvement after which the search of a prompt stops; 0 disables this."""
    stop_when_distinguished: bool = False
    """Whether the search of a prompt stops when its best rubric orders every pair that touches the tail with confidence."""
    distinguish_margin: float | None = Field(default=None, ge=0)
    """Signed margin from which a pair counts as distinguished; by default the objective's `tie_tolerance`."""
    max_calls_per_prompt: int | None = Field(default=None, ge=1)
    """Maximum number of requests, cached or not, that the search of one prompt may make."""


class Probing(StrEnum):
    """Which best rubrics are probed."""

    OFF = "off"
    FREE = "free"
    ALL = "all"


class ProbeSettings(Settings):
    """Probes for gaming: padded, keyword-stuffed, overlong and instruction-injecting variants of good responses."""

    probing: Probing = Probing.FREE
    """Which best rubrics are probed: `free`, those whose criteria are all measured; `all`, using the verifier; `off`."""
    probe_candidates: int = Field(default=2, ge=1, le=32)
    """Number of best visible responses that are probed, each in four variants; a variant takes one or two requests if
    the verifier is needed."""
    probe_margin: float = Field(default=0.05, ge=0, le=1)
    """Mean increase of the score, on the scale 0 to 1, above which a kind of variant has gamed the rubric."""


class SearchSettings(Settings):
    """All settings of a search, except those of its structure."""

    seed: int = Field(default=7, ge=0)
    """Seed of all random choices."""
    objective: ObjectiveSettings = ObjectiveSettings()
    """What makes one rubric better than another."""
    grading: GradingSettings = GradingSettings()
    """How candidates are graded."""
    initializer: InitializerSettings = InitializerSettings()
    """Where initial rubrics come from."""
    evolution: EvolutionSettings = EvolutionSettings()
    """The evolutionary search."""
    selection: SelectionSettings = SelectionSettings()
    """How parents are chosen."""
    mutation: MutationSettings = MutationSettings()
    """Which mutation mode creates each child."""
    refinement: RefinementSettings = RefinementSettings()
    """The iterative baseline."""
    stop: StopSettings = StopSettings()
    """When the search of a prompt stops."""
    probing: ProbeSettings = ProbeSettings()
    """Probes of the best rubric for gaming."""
