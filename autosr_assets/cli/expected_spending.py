"""What a search may spend, and what it is expected to cost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from autosr_assets.cli.chosen_search import ChosenSearch
from autosr_assets.resources import Silence
from autosr_assets.steps.dataset import reader_of
from autosr_assets.steps.prompt_rows import is_up_to_date
from autosr_assets.steps.work_left import work_left
from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.responses import foreseen, needs_responses
from autosr_lib.llm.estimate import ExpectedUsage, UsageEstimator, total_cost
from autosr_lib.llm.settings import ROLES_WITH_A_MODEL, Role
from autosr_lib.prompt_budget import PromptBudget
from autosr_lib.search.estimate import expected_calls, judge_calls
from autosr_lib.search.hardness import reachable
from autosr_lib.search.settings import Scope
from autosr_lib.settings import BackendName
from autosr_lib.storage.datasets import DatasetReader
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore


@dataclass(frozen=True)
class Spending:
    """What a search is expected to spend."""

    prompts: int
    """Those that there is something to do for."""
    uses: Mapping[tuple[Role, str], ExpectedUsage] = field(default_factory=dict)
    """By role and model, of those roles that a model fills."""
    reached: int | None = None
    """In scope `global_batch`, the most prompts that can evolve at all."""

    @property
    def cost(self) -> float | None:
        """Return the dollars, or None where a model that is asked has no price."""
        return total_cost(list(self.uses.values()))


def checked_prompt_budget(chosen: ChosenSearch) -> str | None:
    """Return what there is to say about how `max_calls` is divided over the prompts; None if it is not.

    Raises:
        SettingsError: some prompt's share would not pay for a first rubric.
    """
    settings = chosen.settings
    whole = settings.backend.llm.max_calls
    if whole is None or settings.stop.max_calls_per_prompt or settings.backend.resolved is not BackendName.LLM:
        return None
    reader = reader_of(chosen.dataset_settings)
    count = sum(1 for _ in reader)
    budget = PromptBudget(settings, chosen.dataset_settings, count)
    dearest = min(_foreseen(reader, chosen), key=budget.surplus)
    budget.check(dearest)
    shares = {budget.of(prompt) or 0 for prompt in _foreseen(reader, chosen)}
    share = f"{min(shares)}" if len(shares) == 1 else f"{min(shares)} to {max(shares)}"
    return f"max_calls {whole} gives each of {count} prompts {share} calls, as max_calls_per_prompt would"


def _foreseen(reader: DatasetReader, chosen: ChosenSearch) -> Iterator[Prompt]:
    """Yield the prompts with the candidates that they will be given."""
    return (foreseen(prompt, chosen.dataset_settings.responses) for prompt in reader)


def expected_spending(chosen: ChosenSearch, store: TableStore) -> Spending:
    """Return what there is still to do is expected to spend; nobody is asked, and kept replies are not looked for.

    Raises:
        DatasetError: the dataset cannot be used.
        SettingsError: a model is asked for without a key.
    """
    steps = chosen.steps(store, Silence())
    reader = reader_of(chosen.dataset_settings)
    if steps.depends_on_all:
        steps.foresee(reader)
    left = work_left(steps, ((prompt, False) for prompt in reader))
    settings, dataset = chosen.settings, chosen.dataset_settings
    evolved, reached = _share_of_generations(chosen, len(left.rows))
    uses: dict[tuple[Role, str], ExpectedUsage] = {}

    def add(role: Role, use: ExpectedUsage) -> None:
        name = role, use.model
        uses[name] = uses[name] + use if name in uses else use

    search = settings.backend.resolved is BackendName.LLM
    judge = dataset.backend.resolved is BackendName.LLM
    pairs = settings.mutation.contrast_pairs
    searching = UsageEstimator(settings.backend.llm, pairs) if search else None
    judging = UsageEstimator(dataset.backend.llm, pairs) if judge else None
    for known in reader:
        if partition_key(known.prompt_id) not in left.keys:
            continue
        prompt = steps.preferences.completed(known)
        if needs_responses(prompt) and judging is not None:
            for model in dataset.responses.response_models:
                add(Role.RESPONDER, judging.response_usage(model, prompt, dataset.responses.responses_per_model))
        prompt = foreseen(prompt, dataset.responses)
        expected = expected_calls(prompt, steps.method(prompt), chosen.structure, dataset.holdout, evolved)
        key = partition_key(prompt.prompt_id)
        preferences = steps.preferences
        is_judged = is_up_to_date(store, preferences.table, key, preferences.fingerprint(prompt))
        expected = replace(expected, judge=0 if is_judged else judge_calls(prompt, dataset.reference))
        for role in ROLES_WITH_A_MODEL:
            estimator = judging if role is Role.JUDGE else searching
            if estimator is not None:
                add(role, estimator.search_usage(role, prompt, expected))
    return Spending(len(left.keys), uses, reached)


def _share_of_generations(chosen: ChosenSearch, prompts: int) -> tuple[float, int | None]:
    """Return in which share of the generations a prompt evolves, and how many prompts can at all; None for all."""
    if chosen.structure.scope is not Scope.GLOBAL_BATCH:
        return 1.0, None
    size = chosen.settings.evolution.batch_size
    return reachable(prompts, 1, size) / max(prompts, 1), reachable(prompts, chosen.structure.generations, size)
