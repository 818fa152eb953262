"""What the assets do: take handles, call the library for the prompts of the run, return handles."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from autosr_assets.resources import Backends, Progress
from autosr_assets.steps.candidates import CandidateStep
from autosr_assets.steps.handover import Handover, Population, Prepared
from autosr_assets.steps.hard_prompts import Chosen
from autosr_assets.steps.prompt_rows import Filled, PromptTable, upstream_rows
from autosr_assets.steps.running import run_with
from autosr_assets.views.metadata import population_metadata, preferences_metadata
from autosr_lib.backends import Backend
from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.domain.prompt import Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import BudgetExhausted
from autosr_lib.evaluation.holdout import hidden_candidates
from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.prompt_budget import PromptBudget
from autosr_lib.search.conclusion import conclude
from autosr_lib.search.fingerprints import best_fingerprint, generation_fingerprints, preferences_fingerprint
from autosr_lib.search.length import length_report
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.probing import probe_rubric
from autosr_lib.search.search import DEFAULT_PRESET, advance, begin, is_over
from autosr_lib.search.settings import Scope, SearchSettings, Structure
from autosr_lib.search.state import SearchContext, State, StopReason
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.presets import read_presets
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables.best_rubrics import BEST_RUBRICS, best_rubric_table
from autosr_lib.storage.tables.columns import RowStatus, Status, read_flat, read_status
from autosr_lib.storage.tables.conclusions import row_of_conclusion
from autosr_lib.storage.tables.population import (
    POPULATION,
    carried_table,
    is_pruned,
    population_table,
    read_state,
    read_stop_reason,
)
from autosr_lib.storage.tables.preferences import PREFERENCES, preferences_table, read_preferences
from autosr_lib.storage.tables.prompts import PromptFingerprint

JUDGE_SEED = 7


@dataclass(frozen=True)
class PreferenceStep:
    """The asset `preferences`: the reference of every prompt, asked for once."""

    store: TableStore
    table: str
    settings: DatasetRunSettings
    backends: Backends
    progress: Progress
    handover: Handover = field(default_factory=Handover)

    def run(self, dataset: StoredTable, keys: Iterable[str]) -> Filled:
        """Return the preferences of the prompts of the run."""
        table = PromptTable(
            self.store, self.table, PREFERENCES, self.fingerprint, self._work, preferences_metadata, self.complete
        )
        return run_with(
            self.backend, self.backends, self.store, self.table, table.fill(dataset, keys, self.progress, "preferences")
        )

    @cached_property
    def backend(self) -> Backend:
        """Return who judges."""
        return self.backends.get(self.settings.backend, GradingSettings(), JUDGE_SEED)

    @property
    def dataset_table(self) -> str:
        """Return the table of the dataset, which lies beside this one."""
        return f"{self.table.rpartition('/')[0]}/dataset"

    @cached_property
    def candidates(self) -> CandidateStep | None:
        """Return the step that gives prompts candidates; None where the dataset has no pool of models."""
        if not self.settings.responses.response_models:
            return None
        table = f"{self.table.rpartition('/')[0]}/candidates"
        return CandidateStep.of(self.store, table, self.settings, self.backend, self.backends, self.progress)

    def completed(self, prompt: Prompt) -> Prompt:
        """Return a prompt of the dataset with the candidates that it was given, where it needed some and has them."""
        return prompt if self.candidates is None else self.candidates.completed(prompt)

    def complete(self, prompt: Prompt) -> Prompt:
        """Return a prompt of the dataset with the candidates that it was given, where it needed some.

        Raises:
            UpstreamError: it still has too few.
        """
        return prompt if self.candidates is None else self.candidates.complete(prompt)

    def fingerprint(self, prompt: Prompt) -> str:
        """Return the input fingerprint of a prompt's preferences."""
        prompt = self.completed(prompt)
        return preferences_fingerprint(prompt, self.settings.reference, self.backend.identity["judge"])

    async def _work(self, prompt: Prompt, fingerprint: str) -> pa.Table:
        known = await gather_preferences(prompt, self.settings.reference, self.backend.roles.judge)
        hidden = hidden_candidates(prompt, self.settings.holdout)
        is_whole = self.candidates is None or self.candidates.is_whole(prompt)
        return preferences_table(prompt.prompt_id, fingerprint, known, hidden, has_all_candidates=is_whole)


class SearchSteps:
    """The assets of one search, from the initial rubrics to the best."""

    def __init__(
        self,
        preferences: PreferenceStep,
        prefix: str,
        structure: Structure,
        settings: SearchRunSettings,
    ) -> None:
        self.preferences = preferences
        self.store = preferences.store
        self.handover = preferences.handover
        self.prefix = prefix
        self.structure = structure
        self.settings = settings
        self.backend = preferences.backends.get(settings.backend, settings.grading, settings.seed)
        self.presets = read_presets(settings.initializer)

    def generation_name(self, number: int) -> str:
        """Return the name of the asset of generation 0, 1, …."""
        return "initial_rubrics" if number == 0 else f"generation_{number:02d}"

    def table(self, asset: str) -> str:
        """Return the table of one of the search's assets."""
        return f"{self.prefix}/{asset}"

    def fingerprints(self, prompt: Prompt) -> Sequence[str]:
        """Return the wanted input fingerprints of a prompt: generation 0, 1, …, and last that of its best rubric."""
        prompt = self.preferences.completed(prompt)
        preferences = self.preferences.fingerprint(prompt)
        name = (self.prefix, "fingerprints", preferences)  # every step of a run wants one of them
        known: Sequence[str] | None = self.handover.look(name)
        if known is None:
            known = self._fingerprints(prompt, preferences)
            self.handover.keep(name, known, sum(map(len, known)))
        return known

    def _fingerprints(self, prompt: Prompt, preferences: str) -> list[str]:
        method = self.method(prompt)
        chain = generation_fingerprints(
            preferences,
            self.preferences.settings.holdout,
            method,
            self.structure,
            self.backend.identity,
            self._preset(prompt),
            self.together,
        )
        return [*chain, best_fingerprint(chain[-1], method)]

    def method(self, prompt: Prompt) -> SearchSettings:
        """Return what decides the search of a prompt: its settings, with its share of the run's calls as its budget."""
        # Where the export goes, and how fast an endpoint is asked, changes no row.
        told = {name: getattr(self.settings, name) for name in SearchSettings.model_fields}
        stop = self.settings.stop.model_copy(update={"max_calls_per_prompt": self.budget.of(prompt)})
        return SearchSettings(**{**told, "stop": stop})

    @cached_property
    def budget(self) -> PromptBudget:
        """Return how the calls of a run are divided over all prompts of the dataset."""
        is_divided = self.settings.backend.llm.max_calls is not None
        return PromptBudget(self.settings, self.preferences.settings, len(self.active) if is_divided else 0)

    @cached_property
    def together(self) -> str:
        """Return, in scope `global_batch`, a name for all prompts together: what one becomes depends on the others."""
        if self.structure.scope is Scope.PROMPT_LOCAL:
            return ""
        pool = self.preferences.settings.responses
        return fingerprint([*self.active, pool.model_dump(mode="json")] if pool.samples else self.active)

    @cached_property
    def active(self) -> list[str]:
        """Return the fingerprints of all prompts of the dataset, sorted, those left out that have been withdrawn."""
        rows = self.store.read(self.preferences.dataset_table, columns=PromptFingerprint._fields)
        known = [] if rows is None else read_flat(PromptFingerprint, rows)
        return sorted(row.fingerprint for row in known if row.status != Status.WITHDRAWN)

    @property
    def depends_on_all(self) -> bool:
        """Return whether what becomes of a prompt depends on which others the dataset has."""
        return self.structure.scope is not Scope.PROMPT_LOCAL or self.settings.backend.llm.max_calls is not None

    def foresee(self, prompts: Iterable[Prompt]) -> None:
        """Take these for the prompts of the dataset, which need not be stored yet."""
        self.active = sorted(prompt.fingerprint for prompt in prompts)

    def _preset(self, prompt: Prompt) -> Rubric | None:
        return self.presets.get(prompt.prompt_id) or self.presets.get(DEFAULT_PRESET)

    def run_initial(self, dataset: StoredTable, keys: Iterable[str], known: dict[str, StoredTable]) -> Filled:
        """Return the first populations of the prompts of the run."""

        async def work(prompt: Prompt, fingerprint: str) -> pa.Table:
            self.budget.check(prompt)
            context, is_whole = self._task(prompt, known)
            state = await begin(context, self.presets)
            return self._population(0, prompt, fingerprint, state, is_whole=is_whole)

        return self._fill(0, dataset, keys, work)

    def run_generation(
        self,
        number: int,
        dataset: StoredTable,
        keys: Iterable[str],
        known: dict[str, StoredTable],
        previous: dict[str, StoredTable],
        chosen: Chosen | None = None,
    ) -> Filled:
        """Return the populations of the prompts of the run after one more generation.

        In scope `global_batch` those that are not `chosen` are carried along.
        """

        async def work(prompt: Prompt, fingerprint: str) -> pa.Table:
            rows, before = self._before(number, prompt, previous[partition_key(prompt.prompt_id)])
            is_whole = read_status(rows) == Status.DONE and (chosen is None or chosen.is_whole)
            is_idle = not is_pruned(rows) and is_over(number - 1, read_stop_reason(rows), self.settings.stop)
            if is_idle or (chosen is not None and prompt.prompt_id not in chosen.prompt_ids):
                rows = carried_table(rows, fingerprint, Status.DONE if is_whole else Status.INCOMPLETE)
                return self._handed(number, prompt, rows, before and before.carried())
            context, _ = self._task(prompt, known)
            before = before or await self._state(number - 1, rows, context)
            try:
                state = await advance(context, before)
            except BudgetExhausted:
                # A normal ending: the best so far goes on to the end. Incomplete, since a later run may pay for more.
                state, is_whole = replace(before.carried(), stopped=StopReason.BUDGET), False
            return self._population(number, prompt, fingerprint, state, is_whole=is_whole)

        return self._fill(number, dataset, keys, work)

    def run_best(self, dataset: StoredTable, keys: Iterable[str]) -> Filled:
        """Return the best rubrics of the prompts of the run."""

        async def work(prompt: Prompt, fingerprint: str) -> pa.Table:
            key = partition_key(prompt.prompt_id)
            last = self.store.stored(self.table(self.generation_name(self.structure.generations)), key)
            rows, state = self._before(self.structure.generations + 1, prompt, last)
            known = {key: self.store.stored(self.preferences.table, key)}
            context, _ = self._task(prompt, known)
            state = state or await self._state(self.structure.generations, rows, context)
            conclusion = await conclude(context, state)
            probes = await probe_rubric(context, state, conclusion)
            is_whole = read_status(rows) == Status.DONE and not conclusion.calls.ungraded and probes.is_whole
            status = Status.DONE if is_whole else Status.INCOMPLETE
            length = length_report(context, conclusion)
            row_status = RowStatus(status, None, fingerprint)
            return best_rubric_table(row_of_conclusion(row_status, context.prepared, state, conclusion, probes, length))

        table = PromptTable(
            self.store,
            self.table("best_rubrics"),
            BEST_RUBRICS,
            lambda prompt: self.fingerprints(prompt)[-1],
            work,
            complete=self.preferences.complete,
        )
        return self._run(table, "best_rubrics", dataset, keys)

    async def _state(self, number: int, rows: pa.Table, context: SearchContext) -> State:
        """Return the state after a generation; one that was pruned is searched again from the last that was kept."""
        if not is_pruned(rows):
            return read_state(rows)
        key = partition_key(context.prepared.prompt.prompt_id)
        before = self.store.stored(self.table(self.generation_name(number - 1)), key).read()
        return await advance(context, await self._state(number - 1, before, context))

    def _fill(self, number: int, dataset: StoredTable, keys: Iterable[str], work: "Work") -> Filled:
        name = self.generation_name(number)
        table = PromptTable(
            self.store,
            self.table(name),
            POPULATION,
            lambda prompt: self.fingerprints(prompt)[number],
            work,
            population_metadata,
            self.preferences.complete,
        )
        return self._run(table, name, dataset, keys)

    def _run(self, table: PromptTable, asset: str, dataset: StoredTable, keys: Iterable[str]) -> Filled:
        filling = table.fill(dataset, keys, self.preferences.progress, asset)
        return run_with(self.backend, self.preferences.backends, self.store, self.table(asset), filling)

    def _task(self, prompt: Prompt, known: dict[str, StoredTable]) -> tuple[SearchContext, bool]:
        name = (self.prefix, "case", prompt.prompt_id)
        ready: Prepared | None = self.handover.look(name)
        if ready is None or ready.prepared.prompt != prompt:
            rows = upstream_rows(known[partition_key(prompt.prompt_id)])
            preferences = read_preferences(rows)
            prepared = PreparedPrompt.of(
                prompt, preferences, self.preferences.settings.holdout, self.settings.objective
            )
            ready = Prepared(prepared, read_status(rows) == Status.DONE)
            self.handover.keep(name, ready, rows.nbytes + sum(map(len, prepared.texts[1])))
        context = SearchContext(ready.prepared, self.backend.roles, self.method(prompt), self.structure)
        return context, ready.is_whole

    def _population(self, number: int, prompt: Prompt, fingerprint: str, state: State, *, is_whole: bool) -> pa.Table:
        """Return the rows of a state; what stayed unanswered, here or before, is asked again in the next run."""
        calls = state.last_calls
        status = Status.DONE if is_whole and not (calls.ungraded or calls.failed) else Status.INCOMPLETE
        return self._handed(number, prompt, population_table(prompt.prompt_id, fingerprint, state, status), state)

    def _handed(self, number: int, prompt: Prompt, rows: pa.Table, state: State | None) -> pa.Table:
        """Return the rows, kept for the step after generation `number`, which starts when this step has stored them."""
        name = (self.table(self.generation_name(number)), prompt.prompt_id)
        self.handover.keep(name, Population(rows, state), rows.get_total_buffer_size())
        return rows

    def _before(self, number: int, prompt: Prompt, stored: StoredTable) -> Population:
        """Return a prompt's population before generation `number`, which is read only if another run has made it."""
        name = (self.table(self.generation_name(number - 1)), prompt.prompt_id)
        return self.handover.take(name) or Population(upstream_rows(stored), None)


Work = Callable[[Prompt, str], Coroutine[Any, Any, pa.Table]]
