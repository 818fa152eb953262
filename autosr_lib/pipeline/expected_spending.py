"""The expected calls and cost of a search, computed from its plan without calling a model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.responses import needs_responses, with_expected_candidates
from autosr_lib.llm.estimate import ExpectedUsage, UsageEstimator, total_cost
from autosr_lib.llm.settings import ROLES_WITH_A_MODEL, Role
from autosr_lib.pipeline.dataset_storage import dataset_reader
from autosr_lib.pipeline.pending import pending_work
from autosr_lib.pipeline.prompt_table import is_up_to_date
from autosr_lib.pipeline.sampled_candidates import SampledCandidates
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.prompt_budget import PromptBudget
from autosr_lib.search.estimate import expected_calls, judge_calls
from autosr_lib.search.hardness import reachable_prompts
from autosr_lib.search.settings import Scope
from autosr_lib.settings import BackendName, DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.prompts import StoredPrompt


@dataclass(frozen=True)
class Spending:
    """The expected spending of a search."""

    prompts: int
    """Prompts with pending work."""
    uses: Mapping[tuple[Role, str], ExpectedUsage] = field(default_factory=dict)
    """Expected usage by role and model."""
    reachable: int | None = None
    """Largest number of prompts that can evolve in scope `global_batch`; None in scope `prompt_local`."""

    @property
    def cost(self) -> float | None:
        """Return the expected cost in US dollars, or None if one of the models has no price."""
        return total_cost(list(self.uses.values()))


@dataclass(frozen=True)
class CallShares:
    """How `max_calls` is divided over the prompts of a dataset."""

    max_calls: int
    prompts: int
    least: int
    """Calls of the prompt with the smallest share."""
    most: int
    """Calls of the prompt with the largest share."""


def call_shares(settings: SearchRunSettings, dataset: DatasetRunSettings) -> CallShares | None:
    """Return how `max_calls` is divided over the prompts of the dataset's file, or None if it is not divided.

    Raises:
        DatasetError: the file cannot be used.
        SettingsError: a prompt's share is too small for an initial rubric.
    """
    max_calls = settings.backend.llm.max_calls
    if max_calls is None or settings.stop.max_calls_per_prompt or settings.backend.resolved is not BackendName.LLM:
        return None
    reader = dataset_reader(dataset)
    budget = PromptBudget(settings, dataset, sum(1 for _ in reader))

    def prompts() -> Iterator[Prompt]:
        return (with_expected_candidates(prompt, dataset.responses) for prompt in reader)

    budget.check(min(prompts(), key=budget.surplus))
    shares = {budget.of(prompt) or 0 for prompt in prompts()}
    return CallShares(max_calls, budget.prompts, min(shares), max(shares))


def expected_spending(plan: SearchPlan, store: TableStore) -> Spending:
    """Return the expected spending of the pending work of a search; cached replies are not taken into account.

    Raises:
        DatasetError: the dataset's file cannot be used.
    """
    settings, dataset = plan.settings, plan.dataset.settings
    reader = dataset_reader(dataset)
    plan = plan.with_active_prompts(reader)
    pending = pending_work(plan, store, (StoredPrompt(prompt, is_withdrawn=False) for prompt in reader))
    share, most_reachable = _share_of_generations(plan, len(pending.rows))
    uses: dict[tuple[Role, str], ExpectedUsage] = {}

    def add(role: Role, use: ExpectedUsage) -> None:
        key = role, use.model
        uses[key] = uses[key] + use if key in uses else use

    pairs = settings.mutation.contrast_pairs
    searching, judging = (
        UsageEstimator(backend.llm, pairs) if backend.resolved is BackendName.LLM else None
        for backend in (settings.backend, dataset.backend)
    )
    samples = SampledCandidates(plan.dataset, store)
    for stored in reader:
        key = partition_key(stored.prompt_id)
        if key not in pending.keys:
            continue
        prompt = samples.add_to(stored)
        if needs_responses(prompt) and judging is not None:
            for model in dataset.responses.response_models:
                add(Role.RESPONDER, judging.response_usage(model, prompt, dataset.responses.responses_per_model))
        is_judged = is_up_to_date(
            store, plan.dataset.preferences_table, key, plan.dataset.preferences_fingerprint(prompt)
        )
        prompt = with_expected_candidates(prompt, dataset.responses)
        calls = expected_calls(prompt, plan.prompt_settings(prompt), plan.structure, dataset.holdout, share)
        calls = replace(calls, judge=0 if is_judged else judge_calls(prompt, dataset.reference))
        for role in ROLES_WITH_A_MODEL:
            estimator = judging if role is Role.JUDGE else searching
            if estimator is not None:
                add(role, estimator.search_usage(role, prompt, calls))
    return Spending(len(pending.keys), uses, most_reachable)


def _share_of_generations(plan: SearchPlan, prompts: int) -> tuple[float, int | None]:
    """Return the share of the generations in which a prompt evolves, and how many prompts can evolve; None for all."""
    if plan.structure.scope is not Scope.GLOBAL_BATCH:
        return 1.0, None
    size = plan.settings.evolution.batch_size
    return reachable_prompts(prompts, 1, size) / max(prompts, 1), reachable_prompts(
        prompts, plan.structure.generations, size
    )
