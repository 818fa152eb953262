"""The plan of a search: its tables, what their rows depend on, and each prompt's budget. It opens no backend.

Whatever only counts or records (dry runs, estimates, sensors, the manifest) needs a plan and no runner.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from autosr_lib.backends import backend_identity
from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.domain.prompt import Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.prompt_budget import PromptBudget
from autosr_lib.search.fingerprints import (
    FingerprintInputs,
    RoleIdentities,
    best_fingerprint,
    generation_fingerprints,
)
from autosr_lib.search.search import DEFAULT_PRESET
from autosr_lib.search.settings import Scope, SearchSettings, Structure
from autosr_lib.settings import SearchRunSettings
from autosr_lib.storage.presets import read_presets
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import Status, read_flat
from autosr_lib.storage.tables.prompts import PromptFingerprint


@dataclass(frozen=True)
class SearchPlan:
    """One search over a dataset.

    Args:
        dataset: the plan of the dataset.
        name: the search's name; its tables are stored under it.
        structure: decides which tables there are.
        settings: the settings of the run.
        active_prompts: sorted fingerprints of all prompts that are in the dataset. They are used only
            if the plan `depends_on_all_prompts`; see `with_active_prompts`.
        presets: rubrics to start from, by prompt id.
    """

    dataset: DatasetPlan
    name: str
    structure: Structure
    settings: SearchRunSettings
    active_prompts: tuple[str, ...] = ()
    presets: Mapping[str, Rubric] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        dataset: DatasetPlan,
        name: str,
        structure: Structure,
        settings: SearchRunSettings,
        store: TableStore,
    ) -> "SearchPlan":
        """Return the plan over the stored dataset, with presets read from their file.

        Raises:
            SettingsError: the presets cannot be read, or the backend is `llm` and its API key is missing.
            TemplateError: a template is missing or wrong.
        """
        plan = cls(dataset, name, structure, settings, presets=read_presets(settings.initializer))
        _ = plan.identity, dataset.identity  # raises now if a backend cannot be used, not in the first step
        return plan.with_stored_prompts(store)

    def with_stored_prompts(self, store: TableStore) -> "SearchPlan":
        """Return the plan for the stored prompts that are not withdrawn."""
        if not self.depends_on_all_prompts:
            return self
        rows = store.read(self.dataset.dataset_table, columns=PromptFingerprint._fields)
        stored = [] if rows is None else read_flat(PromptFingerprint, rows)
        present = (row.fingerprint for row in stored if row.status != Status.WITHDRAWN)
        return replace(self, active_prompts=tuple(sorted(present)))

    def with_active_prompts(self, prompts: Iterable[Prompt]) -> "SearchPlan":
        """Return the plan for a dataset of these prompts, which need not be stored yet."""
        if not self.depends_on_all_prompts:
            return self
        return replace(self, active_prompts=tuple(sorted(prompt.fingerprint for prompt in prompts)))

    @property
    def depends_on_all_prompts(self) -> bool:
        """Return whether the result of a prompt depends on which other prompts the dataset has."""
        return self.structure.scope is not Scope.PROMPT_LOCAL or self.settings.backend.llm.max_calls is not None

    @cached_property
    def identity(self) -> RoleIdentities:
        """Return the identities of the initializer, the proposer and the verifier, by role.

        Raises:
            SettingsError: the backend is `llm` and its API key is missing.
            TemplateError: a template is missing or wrong.
        """
        return backend_identity(self.settings.backend, self.settings.seed)

    def generation_table(self, number: int) -> TableName:
        """Return the table of generation 0 (the initial rubrics), 1, …."""
        return TableName.generation(self.name, number)

    def hard_prompts_table(self, number: int) -> TableName:
        """Return, in scope `global_batch`, the table of the prompts that generation 1, 2, … evolves."""
        return TableName.hard_prompts(self.name, number)

    @property
    def best_table(self) -> TableName:
        """Return the table of the best rubrics."""
        return TableName.best_rubrics(self.name)

    @property
    def export_table(self) -> TableName:
        """Return the table that describes the last export."""
        return TableName.rubric_export(self.name)

    def fingerprints(self, prompt: Prompt) -> Sequence[str]:
        """Return the input fingerprints of a prompt's rows: generation 0, 1, …, and last its best rubric.

        Args:
            prompt: with its sampled candidates.
        """
        settings = self.prompt_settings(prompt)
        inputs = FingerprintInputs(
            self.dataset.settings.holdout,
            settings,
            self.structure,
            self.identity,
            self.preset(prompt),
            self.prompt_set,
        )
        generations = generation_fingerprints(self.dataset.preferences_fingerprint(prompt), inputs)
        return [*generations, best_fingerprint(generations[-1], settings)]

    def prompt_settings(self, prompt: Prompt) -> SearchSettings:
        """Return what decides the search of a prompt: the settings, with its share of the run's calls as its budget."""
        # The export's path and the limits of an endpoint are left out: they change no row.
        values = {name: getattr(self.settings, name) for name in SearchSettings.model_fields}
        stop = self.settings.stop.model_copy(update={"max_calls_per_prompt": self.budget.of(prompt)})
        return SearchSettings(**{**values, "stop": stop})

    @cached_property
    def budget(self) -> PromptBudget:
        """Return how the calls of a run are divided over all prompts of the dataset."""
        is_divided = self.settings.backend.llm.max_calls is not None
        return PromptBudget(self.settings, self.dataset.settings, len(self.active_prompts) if is_divided else 0)

    @cached_property
    def prompt_set(self) -> str:
        """Return a digest of all prompts in scope `global_batch`, where each result depends on all; otherwise ""."""
        if self.structure.scope is Scope.PROMPT_LOCAL:
            return ""
        pool, prompts = self.dataset.settings.responses, list(self.active_prompts)
        return fingerprint([*prompts, pool.model_dump(mode="json")] if pool.samples else prompts)

    def preset(self, prompt: Prompt) -> Rubric | None:
        """Return the preset rubric that the search of a prompt starts from, or None."""
        return self.presets.get(prompt.prompt_id) or self.presets.get(DEFAULT_PRESET)
