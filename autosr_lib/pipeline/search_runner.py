"""The steps of a search: initial rubrics, generations and the best rubrics of the prompts of a run.

Each step reads what the previous one stored (or cached, see `RowCache`), works on its prompts concurrently, and stores
each prompt's rows as soon as they are finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import pyarrow as pa

from autosr_lib.backends import Backend
from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import BudgetExhausted
from autosr_lib.pipeline.dataset_runner import DatasetRunner
from autosr_lib.pipeline.hard_prompts import HardPrompts, choose_hard_prompts, read_hard_prompts
from autosr_lib.pipeline.prompt_table import Compute, Describe, PromptTable, StepResult, upstream_rows
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.sampled_candidates import UpstreamError
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.search.conclusion import conclude_search
from autosr_lib.search.context import SearchContext
from autosr_lib.search.length import find_length_bias
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.probing import probe_rubric
from autosr_lib.search.search import advance_search, is_over, start_search
from autosr_lib.search.settings import Scope
from autosr_lib.search.state import SearchState, StopReason
from autosr_lib.storage.partition_keys import partition_key, prompt_id_of
from autosr_lib.storage.store import StoredTable
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import BEST_RUBRICS, BestRubricRow, best_rubric_table, read_best_rubric
from autosr_lib.storage.tables.columns import RowStatus, Status, read_status
from autosr_lib.storage.tables.conclusions import row_of_conclusion
from autosr_lib.storage.tables.hard_prompts import HardPromptRow
from autosr_lib.storage.tables.population import (
    POPULATION,
    carried_table,
    is_pruned,
    population_table,
    read_state,
    read_stop_reason,
)
from autosr_lib.storage.tables.preferences import read_preferences


class Population(NamedTuple):
    """A prompt's population after a generation: its rows, and its state if that is in memory."""

    rows: pa.Table
    state: SearchState | None

    @property
    def is_complete(self) -> bool:
        """Return whether none of its grades and replies is missing."""
        return read_status(self.rows) == Status.DONE


class Preparation(NamedTuple):
    """A prompt prepared for its search."""

    prepared: PreparedPrompt
    is_complete: bool
    """Whether none of its preferences is missing."""


@dataclass(frozen=True)
class SearchRunner:
    """Runs the steps of one search for the prompts of a run."""

    plan: SearchPlan
    run: RunContext

    @cached_property
    def dataset_runner(self) -> DatasetRunner:
        """Return the runner of the dataset that is searched."""
        return DatasetRunner(self.plan.dataset, self.run)

    @property
    def dataset(self) -> StoredTable:
        """Return the handle on the stored prompts."""
        return self.dataset_runner.dataset

    @cached_property
    def backend(self) -> Backend:
        """Return the backend of the search's roles, which is opened at its first use."""
        settings = self.plan.settings
        return self.run.backends.get(settings.backend, settings.grading, settings.seed)

    async def initial_rubrics(self, keys: Sequence[str], describe: Describe | None = None) -> StepResult:
        """Make the first populations."""

        async def compute(prompt: Prompt, fingerprint: str) -> pa.Table:
            prompt = self.dataset_runner.samples.require(prompt)
            self.plan.budget.check(prompt)
            context, preparation = self._prepare(prompt)
            state = await start_search(context, self.plan.presets)
            return self._population_rows(0, prompt, fingerprint, state, is_complete=preparation.is_complete)

        return await self._generation(0, compute, describe).fill(self.run, self.backend, keys)

    async def generation(self, number: int, keys: Sequence[str], describe: Describe | None = None) -> StepResult:
        """Search for one more generation: 1, 2, …. In scope `global_batch` only the hard prompts evolve."""
        hard = self._hard_prompts(number)

        async def compute(prompt: Prompt, fingerprint: str) -> pa.Table:
            prompt = self.dataset_runner.samples.require(prompt)
            previous = self._population_after(number - 1, prompt)
            is_complete = previous.is_complete and (hard is None or hard.are_complete)
            if self._is_over(number - 1, previous.rows) or (
                hard is not None and prompt.prompt_id not in hard.prompt_ids
            ):
                rows = carried_table(previous.rows, fingerprint, Status.DONE if is_complete else Status.INCOMPLETE)
                state = None if previous.state is None else previous.state.skip_generation()
                return self._cache_population(number, prompt, Population(rows, state))
            context, _ = self._prepare(prompt)
            before = await self._state(number - 1, previous, context)
            try:
                state = await advance_search(context, before)
            except BudgetExhausted:
                # A normal end. The row is incomplete, because a later run may have budget.
                state, is_complete = replace(before.skip_generation(), stopped=StopReason.BUDGET), False
            return self._population_rows(number, prompt, fingerprint, state, is_complete=is_complete)

        return await self._generation(number, compute, describe).fill(self.run, self.backend, keys)

    def choose_hard_prompts(self, number: int) -> list[HardPromptRow]:
        """Return how hard each prompt of the dataset is, and whether generation `number` evolves it.

        Raises:
            StorageError: a prompt has no row of the previous generation yet.
        """
        previous, batch_size = self.plan.generation_table(number - 1), self.plan.settings.evolution.batch_size
        return choose_hard_prompts(self.run.store, previous, self.dataset, batch_size)

    async def best_rubrics(self, keys: Sequence[str], describe: Describe | None = None) -> StepResult:
        """Choose the best rubric of each prompt and measure it on what was hidden from the search."""
        last = self.plan.structure.generations

        async def compute(prompt: Prompt, fingerprint: str) -> pa.Table:
            prompt = self.dataset_runner.samples.require(prompt)
            population = self._population_after(last, prompt)
            context, _ = self._prepare(prompt)
            state = await self._state(last, population, context)
            conclusion = await conclude_search(context, state)
            probes = await probe_rubric(context, state, conclusion)
            is_complete = population.is_complete and not conclusion.calls.ungraded and probes.is_complete
            row_status = RowStatus(Status.DONE if is_complete else Status.INCOMPLETE, None, fingerprint)
            length = find_length_bias(context, conclusion)
            row = row_of_conclusion(row_status, context.prepared, state, conclusion, probes, length)
            rows = best_rubric_table(row)
            self.run.cache.put((self.plan.best_table, prompt.prompt_id), rows, rows.get_total_buffer_size())
            return rows

        table = self._table(self.plan.best_table, BEST_RUBRICS, -1, compute, describe)
        return await table.fill(self.run, self.backend, keys)

    def best_row(self, key: str) -> BestRubricRow:
        """Return the best rubric of a prompt that has one, from the run's cache or its table.

        Raises:
            UpstreamError: the prompt failed.
        """
        rows: pa.Table | None = self.run.cache.get((self.plan.best_table, prompt_id_of(key)))
        row = read_best_rubric(self.run.store.stored(self.plan.best_table, key).read() if rows is None else rows)
        if not isinstance(row, BestRubricRow):
            raise UpstreamError(row.error or row.status)
        return row

    def _hard_prompts(self, number: int) -> HardPrompts | None:
        """Return the prompts that generation `number` evolves, or None for all."""
        if self.plan.structure.scope is not Scope.GLOBAL_BATCH:
            return None
        return read_hard_prompts(self.run.store.stored(self.plan.hard_prompts_table(number)))

    def _generation(self, number: int, compute: Compute, describe: Describe | None) -> PromptTable:
        return self._table(self.plan.generation_table(number), POPULATION, number, compute, describe)

    def _table(
        self, name: TableName, schema: pa.Schema, step: int, compute: Compute, describe: Describe | None
    ) -> PromptTable:
        return PromptTable(
            name, schema, self.dataset, lambda prompt: self._fingerprints(prompt)[step], compute, describe
        )

    def _fingerprints(self, prompt: Prompt) -> Sequence[str]:
        """Return the input fingerprints of a prompt's rows; they are cached, because each step of a run needs one."""
        prompt = self.dataset_runner.samples.add_to(prompt)
        key = (self.plan.name, "fingerprints", prompt.fingerprint)
        fingerprints: Sequence[str] | None = self.run.cache.get(key)
        if fingerprints is None:
            fingerprints = self.plan.fingerprints(prompt)
            self.run.cache.put(key, fingerprints, sum(map(len, fingerprints)))
        return fingerprints

    def _is_over(self, generation: int, rows: pa.Table) -> bool:
        """Return whether a prompt is only carried over after this generation."""
        return not is_pruned(rows) and is_over(generation, read_stop_reason(rows), self.plan.settings.stop)

    async def _state(self, number: int, population: Population, context: SearchContext) -> SearchState:
        """Return the state after generation `number`; a pruned state is computed again from an earlier one."""
        if population.state is not None:
            return population.state
        if not is_pruned(population.rows):
            return read_state(population.rows)
        key = partition_key(context.prepared.prompt.prompt_id)
        rows = self.run.store.stored(self.plan.generation_table(number - 1), key).read()
        return await advance_search(context, await self._state(number - 1, Population(rows, None), context))

    def _prepare(self, prompt: Prompt) -> tuple[SearchContext, Preparation]:
        """Return what the search of a prompt needs: its context, and the preparation that its steps share."""
        key = (self.plan.name, "preparation", prompt.prompt_id)
        preparation: Preparation | None = self.run.cache.get(key)
        if preparation is None or preparation.prepared.prompt != prompt:
            stored = self.run.store.stored(self.plan.dataset.preferences_table, partition_key(prompt.prompt_id))
            rows = upstream_rows(stored)
            preferences = read_preferences(rows)
            holdout, objective = self.plan.dataset.settings.holdout, self.plan.settings.objective
            prepared = PreparedPrompt.of(prompt, preferences, holdout, objective)
            preparation = Preparation(prepared, read_status(rows) == Status.DONE)
            self.run.cache.put(key, preparation, rows.nbytes)
        settings = self.plan.prompt_settings(prompt)
        return SearchContext(preparation.prepared, self.backend.roles, settings, self.plan.structure), preparation

    def _population_rows(
        self, number: int, prompt: Prompt, fingerprint: str, state: SearchState, *, is_complete: bool
    ) -> pa.Table:
        """Return the rows of a state and cache them; they are incomplete if a grade or reply is missing."""
        calls = state.last_calls
        status = Status.DONE if is_complete and not (calls.ungraded or calls.failed) else Status.INCOMPLETE
        rows = population_table(prompt.prompt_id, fingerprint, state, status)
        return self._cache_population(number, prompt, Population(rows, state))

    def _cache_population(self, number: int, prompt: Prompt, population: Population) -> pa.Table:
        """Cache the population for the step after generation `number` and return its rows."""
        key = (self.plan.generation_table(number), prompt.prompt_id)
        self.run.cache.put(key, population, population.rows.get_total_buffer_size())
        return population.rows

    def _population_after(self, number: int, prompt: Prompt) -> Population:
        """Return a prompt's population after generation `number`, read from its table if another run made it.

        Raises:
            UpstreamError: the prompt failed before.
        """
        table = self.plan.generation_table(number)
        cached: Population | None = self.run.cache.pop((table, prompt.prompt_id))
        if cached is not None:
            return cached
        stored = self.run.store.stored(table, partition_key(prompt.prompt_id))
        return Population(upstream_rows(stored), None)
