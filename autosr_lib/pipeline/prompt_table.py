"""Filling one table for the prompts of a run: up-to-date rows stay, and a failed prompt does not stop the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from autosr_lib.backends import Backend
from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import AutosrError, BudgetExhausted, EndpointError, StorageError
from autosr_lib.pipeline.call_records import store_calls
from autosr_lib.pipeline.prompts import read_prompts
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.sampled_candidates import UpstreamError
from autosr_lib.results.totals import BUDGET_SPENT
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import RowStatus, Status, UnsuccessfulRow, read_row_status, unsuccessful_table
from autosr_lib.storage.tables.prompts import StoredPrompt

PROMPTS_AT_ONCE = 64
"""Largest number of prompts in progress at once in a step. It bounds memory; the backend limits its own requests."""

Compute = Callable[[Prompt, str], Awaitable[pa.Table]]
"""Makes the rows of a prompt, given its input fingerprint."""
Describe = Callable[[pa.Table], Mapping[str, Any]]
"""Returns what is published about the rows of one prompt."""


@dataclass
class StepResult:
    """The result of a step for the prompts of a run, by partition key."""

    handles: dict[str, StoredTable] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)
    """Prompts whose rows were made by this step."""
    failed: dict[str, str] = field(default_factory=dict)
    """Errors of the prompts that failed in this step or an earlier one."""
    withdrawn: set[str] = field(default_factory=set)
    descriptions: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What `describe` returned for the rows that were made by this step."""
    usage: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Usage of the model calls of each prompt: requests, tokens, cost."""

    @property
    def succeeded(self) -> dict[str, StoredTable]:
        """Return the handles of the prompts that neither failed nor left the dataset."""
        return {
            key: handle for key, handle in self.handles.items() if key not in self.failed and key not in self.withdrawn
        }


@dataclass(frozen=True)
class PromptTable:
    """A table with one partition per prompt, and how its rows are made.

    Args:
        name: the table's name.
        schema: the schema of its rows.
        dataset: handle on the stored prompts.
        fingerprint: returns the input fingerprint that a prompt's rows should have.
        compute: makes the rows of a prompt, given its input fingerprint.
        describe: returns what is published about rows.
    """

    name: TableName
    schema: pa.Schema
    dataset: StoredTable
    fingerprint: Callable[[Prompt], str]
    compute: Compute
    describe: Describe | None = None

    async def fill(
        self, run: RunContext, backend: Backend, keys: Sequence[str], responders: Sequence[str] = ()
    ) -> StepResult:
        """Return handles on the rows of all `keys`, after making those that are missing, stale, incomplete or failed.

        Rows are stored as soon as a prompt is finished, so that a killed run loses only the prompts in progress. The
        model calls are recorded even when the step fails.

        Args:
            run: what the steps of the run share.
            backend: the backend that the step calls.
            keys: partition keys of the prompts.
            responders: the models that the step samples candidates from.

        Raises:
            EndpointError: the endpoint cannot be used; the run ends.
            StorageError: a table cannot be read or written, or a key has no prompt in the dataset.
        """
        result = StepResult()
        step, workers = self.name.asset, min(PROMPTS_AT_ONCE, len(keys))
        prompts = read_prompts(self.dataset, keys, run.cache)
        try:
            async with backend.session(responders):
                run.progress.begin(step, len(keys))
                try:
                    await _run_workers(self._fill_prompts(prompts, run, result) for _ in range(workers))
                finally:
                    run.progress.end(step)
        finally:
            result.usage.update(store_calls(backend, run.store, run.backends.run_id, self.name))
        if missing := [key for key in keys if key not in result.handles]:
            raise StorageError(f"{self.name}: the dataset has no prompt {missing[0]!r}; materialize the dataset first")
        return result

    async def _fill_prompts(self, prompts: Iterator[StoredPrompt], run: RunContext, result: StepResult) -> None:
        """Make the rows of the prompts that the iterator still yields; several workers share one iterator."""
        for prompt, is_withdrawn in prompts:
            key, fingerprint = partition_key(prompt.prompt_id), self.fingerprint(prompt)
            result.handles[key] = run.store.stored(self.name, key)
            if is_withdrawn:
                result.withdrawn.add(key)
                self._store_withdrawn(run.store, prompt, fingerprint)
            elif not is_up_to_date(run.store, self.name, key, fingerprint):
                result.computed.add(key)
                try:
                    rows = await self.compute(prompt, fingerprint)
                except (EndpointError, StorageError):
                    raise
                except Exception as error:  # noqa: BLE001 - a prompt that fails must not stop the others
                    result.failed[key] = _failure_message(error)
                    row = UnsuccessfulRow(prompt.prompt_id, Status.FAILED, result.failed[key], fingerprint)
                    rows = unsuccessful_table(row, self.schema)
                if self.describe is not None:
                    result.descriptions[key] = self.describe(rows)
                # In a thread: encoding the rows and waiting for the disk would delay the handling of replies.
                await asyncio.to_thread(run.store.write, self.name, key, rows)
            run.progress.advance(self.name.asset, is_new=key in result.computed, is_failed=key in result.failed)

    def _store_withdrawn(self, store: TableStore, prompt: Prompt, fingerprint: str) -> None:
        """Store a row for a prompt that left the dataset before it had one; an existing row is kept."""
        key = partition_key(prompt.prompt_id)
        if not store.exists(self.name, key):
            row = UnsuccessfulRow(prompt.prompt_id, Status.WITHDRAWN, None, fingerprint)
            store.write(self.name, key, unsuccessful_table(row, self.schema))


def _failure_message(error: Exception) -> str:
    """Return the error of a prompt that failed, as its row and the report show it."""
    if isinstance(error, BudgetExhausted):
        # Before a prompt has a population there is no best so far; other prompts may be answered from the cache.
        return f"{BUDGET_SPENT}: {error}"
    return str(error) if isinstance(error, AutosrError) else f"{type(error).__name__}: {error}"


async def _run_workers(workers: Iterable[Awaitable[None]]) -> None:
    """Run the workers; when one fails, cancel the others and raise its error."""
    tasks = [asyncio.ensure_future(worker) for worker in workers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def is_up_to_date(store: TableStore, table: TableName, key: str, fingerprint: str) -> bool:
    """Return whether a prompt's rows are done and have this input fingerprint."""
    rows = store.read(table, key, RowStatus._fields)
    if rows is None or not rows.num_rows:
        return False
    row_status = read_row_status(rows)
    return row_status.status == Status.DONE and row_status.input_fingerprint == fingerprint


def upstream_rows(handle: StoredTable) -> pa.Table:
    """Return the rows of an earlier step.

    Raises:
        UpstreamError: the prompt failed there.
    """
    rows = handle.read()
    row_status = read_row_status(rows)
    if row_status.status == Status.FAILED:
        raise UpstreamError(row_status.error)
    return rows
