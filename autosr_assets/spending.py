"""What a search may spend: the run's calls divided over its prompts, and what it is expected to cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autosr_assets.chosen_search import ChosenSearch
from autosr_assets.dataset_step import dataset_path
from autosr_assets.graph_names import search_settings_key
from autosr_assets.partition_keys import partition_key
from autosr_assets.prompt_rows import is_up_to_date
from autosr_assets.resources import Silence
from autosr_assets.settings_config import override_config
from autosr_assets.work_left import work_left
from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import SettingsError
from autosr_lib.llm.estimate import ExpectedUse, UseEstimator, total_cost
from autosr_lib.llm.settings import Role
from autosr_lib.search.estimate import expected_calls, judge_calls, least_calls
from autosr_lib.search.hardness import reachable
from autosr_lib.search.settings import Scope
from autosr_lib.settings import BackendName
from autosr_lib.settings_merge import merge_settings
from autosr_lib.storage.datasets import read_dataset
from autosr_lib.storage.store import TableStore


@dataclass(frozen=True)
class Spending:
    """What a search is expected to spend."""

    prompts: int
    """Those that there is something to do for."""
    uses: Mapping[Role, ExpectedUse] = field(default_factory=dict)
    """By role, of those roles that a model fills."""
    reached: int | None = None
    """In scope `global_batch`, the most prompts that can evolve at all."""

    @property
    def cost(self) -> float | None:
        """Return the dollars, or None where a model that is asked has no price."""
        return total_cost(list(self.uses.values()))


def with_prompt_budget(chosen: ChosenSearch) -> tuple[ChosenSearch, str | None]:
    """Return the search with `max_calls` divided over its prompts, and what there is to say about it.

    Only then does a prompt end where it would end in every run; the run's own budget is an emergency stop (METHOD §7).
    The judge's calls and the preflight come off first. Nothing changes without `max_calls`, without a model, or where
    `max_calls_per_prompt` is set.

    Raises:
        SettingsError: a prompt's share would not pay for a first rubric.
    """
    settings = chosen.settings
    whole = settings.backend.llm.max_calls
    if whole is None or settings.stop.max_calls_per_prompt or settings.backend.resolved is not BackendName.LLM:
        return chosen, None
    prompts = _prompts(chosen)
    apart = len({settings.backend.llm.model_for(role) for role in Role})
    if chosen.dataset_settings.backend.llm == settings.backend.llm:  # one client, one budget
        apart += sum(judge_calls(prompt, chosen.dataset_settings.reference) for prompt in prompts)
    share = (whole - apart) // len(prompts)
    least = {prompt.prompt_id: least_calls(prompt, settings, chosen.dataset_settings.holdout) for prompt in prompts}
    dearest = max(least, key=lambda name: least[name])
    if share < least[dearest]:
        raise SettingsError(
            f"max_calls is {whole}, {max(share, 0)} for each of {len(prompts)} prompts after {apart} for the judge and "
            f"the preflight: too few to grade a first rubric of {dearest!r}, which takes {least[dearest]}; "
            f"allowed: at least {least[dearest] * len(prompts) + apart}, or max_calls_per_prompt"
        )
    change = {"stop": {"max_calls_per_prompt": share}}
    told = f"max_calls {whole} gives each of {len(prompts)} prompts {share} calls (max_calls_per_prompt {share})"
    return _changed(chosen, change), told


def expected_spending(chosen: ChosenSearch, store: TableStore) -> Spending:
    """Return what there is still to do is expected to spend; nobody is asked, and kept replies are not looked for.

    Raises:
        DatasetError: the dataset cannot be used.
        SettingsError: a model is asked for without a key.
    """
    steps = chosen.steps(store, Silence())
    prompts = _prompts(chosen)
    left = work_left(steps, ((prompt, False) for prompt in prompts)).keys
    todo = [prompt for prompt in prompts if partition_key(prompt.prompt_id) in left]
    settings, dataset = chosen.settings, chosen.dataset_settings
    evolved, reached = _share_of_generations(chosen, len(prompts))
    uses: dict[Role, ExpectedUse] = {}

    def add(role: Role, use: ExpectedUse) -> None:
        uses[role] = uses[role] + use if role in uses else use

    search = settings.backend.resolved is BackendName.LLM
    judge = dataset.backend.resolved is BackendName.LLM
    pairs = settings.mutation.contrast_pairs
    searching = UseEstimator(settings.backend.llm, pairs) if search else None
    judging = UseEstimator(dataset.backend.llm, pairs) if judge else None
    for prompt in todo:
        expected = expected_calls(prompt, steps.method, chosen.structure, dataset.holdout, evolved)
        key = partition_key(prompt.prompt_id)
        preferences = steps.preferences
        is_judged = is_up_to_date(store, preferences.table, key, preferences.fingerprint(prompt))
        expected = replace(expected, judge=0 if is_judged else judge_calls(prompt, dataset.reference))
        for role in Role:
            estimator = judging if role is Role.JUDGE else searching
            if estimator is not None:
                add(role, estimator.use(role, prompt, expected))
    return Spending(len(todo), uses, reached)


def _prompts(chosen: ChosenSearch) -> Sequence[Prompt]:
    settings = chosen.dataset_settings
    return read_dataset(dataset_path(settings.path), skip_invalid=settings.skip_invalid).prompts


def _share_of_generations(chosen: ChosenSearch, prompts: int) -> tuple[float, int | None]:
    """Return in which share of the generations a prompt evolves, and how many prompts can at all; None for all."""
    if chosen.structure.scope is not Scope.GLOBAL_BATCH:
        return 1.0, None
    size = chosen.settings.evolution.batch_size
    return reachable(prompts, 1, size) / max(prompts, 1), reachable(prompts, chosen.structure.generations, size)


def _changed(chosen: ChosenSearch, change: Mapping[str, Any]) -> ChosenSearch:
    """Return the search with a change of its settings for this run."""
    settings = merge_settings(chosen.settings, change)
    key = search_settings_key(chosen.name)
    known = dict(chosen.overrides.get(key, {}).get("config", {}))
    for group, values in override_config(chosen.settings, change).items():
        known[group] = {**known.get(group, {}), **values}
    return replace(chosen, settings=settings, overrides={**chosen.overrides, key: {"config": known}})
