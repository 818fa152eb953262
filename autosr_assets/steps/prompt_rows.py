"""One table filled for the prompts of a run: what is up to date is passed through, a failed prompt stops nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from autosr_assets.resources import Progress
from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import AutosrError, BudgetExhausted, EndpointError, StorageError
from autosr_lib.results.totals import BUDGET_SPENT
from autosr_lib.storage.partition_keys import partition_key, prompt_id_of
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables.columns import RowStatus, Status, UnsuccessfulRow, read_row_status, unsuccessful_table
from autosr_lib.storage.tables.prompts import read_prompts as read_stored_prompts

IN_FLIGHT = 64
"""Prompts under way at once in a step; bounds memory, the backend's own limit bounds its requests."""


class UpstreamError(AutosrError):
    """A prompt that failed in an earlier asset; its message is that asset's."""


@dataclass
class Filled:
    """What became of the prompts of a run in one table."""

    handles: dict[str, StoredTable] = field(default_factory=dict)
    computed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    """Error by partition key, of prompts that failed here or before."""
    withdrawn: set[str] = field(default_factory=set)
    described: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By partition key, what is published of rows that were made here; they need not be read again for it."""
    used: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By partition key, what its model calls have used: requests, tokens, cost."""


@dataclass(frozen=True)
class PromptTable:
    """A table with one partition a prompt, and how its rows are made.

    `wanted` returns the input fingerprint that a prompt's rows should have, `work` makes them, and `describe` says what
    is published of them; `complete` gives a prompt the candidates that it lacks in the dataset.
    """

    store: TableStore
    name: str
    schema: pa.Schema
    wanted: Callable[[Prompt], str]
    work: Callable[[Prompt, str], Awaitable[pa.Table]]
    describe: Callable[[pa.Table], Mapping[str, Any]] | None = None
    complete: Callable[[Prompt], Prompt] = lambda prompt: prompt

    async def fill(self, dataset: StoredTable, keys: Iterable[str], progress: Progress, step: str) -> Filled:
        """Return handles on the rows of all `keys`, after making those that are missing, stale, incomplete or failed.

        Rows are stored as soon as a prompt is through, so that a run that is killed loses only what is under way.

        Raises:
            EndpointError: nobody can be asked; the run ends.
            StorageError: a table cannot be read or written, or a key has no prompt in the dataset.
        """
        wanted = list(keys)
        filled = Filled()
        queue = read_prompts(dataset, wanted)
        progress.begin(step, len(wanted))

        async def worker() -> None:
            for prompt, is_withdrawn in queue:
                await self._one(prompt, filled, is_withdrawn=is_withdrawn)
                key = partition_key(prompt.prompt_id)
                progress.advance(step, is_new=key in filled.computed, is_failed=key in filled.failed)

        try:
            await _together([worker() for _ in range(min(IN_FLIGHT, len(wanted)))])
        finally:
            progress.end(step)
        if missing := [key for key in wanted if key not in filled.handles]:
            raise StorageError(f"{self.name}: the dataset has no prompt {missing[0]!r}; materialize the dataset first")
        return filled

    async def _one(self, prompt: Prompt, filled: Filled, *, is_withdrawn: bool) -> None:
        key, fingerprint = partition_key(prompt.prompt_id), self.wanted(prompt)
        filled.handles[key] = self.store.stored(self.name, key)
        if is_withdrawn:
            filled.withdrawn.add(key)
            if not self.store.exists(self.name, key):
                row = UnsuccessfulRow(prompt.prompt_id, Status.WITHDRAWN, None, fingerprint)
                rows = unsuccessful_table(row, self.schema)
                self.store.write(self.name, key, rows)
            return
        if is_up_to_date(self.store, self.name, key, fingerprint):
            return
        filled.computed.add(key)
        try:
            rows = await self.work(self.complete(prompt), fingerprint)
        except (EndpointError, StorageError):
            raise
        except BudgetExhausted as error:
            # Before a prompt has a population there is nothing to end with; others may be answered from the cache.
            rows = self._failed(filled, prompt, fingerprint, f"{BUDGET_SPENT}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one prompt must not stop the others
            said = str(error) if isinstance(error, AutosrError) else f"{type(error).__name__}: {error}"
            rows = self._failed(filled, prompt, fingerprint, said)
        if self.describe is not None:
            filled.described[key] = self.describe(rows)
        # In a thread: to pack the rows and wait for the disk would hold up every reply that is under way.
        await asyncio.to_thread(self.store.write, self.name, key, rows)

    def _failed(self, filled: Filled, prompt: Prompt, fingerprint: str, said: str) -> pa.Table:
        filled.failed[partition_key(prompt.prompt_id)] = said
        return unsuccessful_table(UnsuccessfulRow(prompt.prompt_id, Status.FAILED, said, fingerprint), self.schema)


async def _together(workers: list[Awaitable[None]]) -> None:
    """Run the workers; when one fails, the others are cancelled and its own error is raised."""
    tasks = [asyncio.ensure_future(worker) for worker in workers]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def read_prompts(dataset: StoredTable, keys: Iterable[str]) -> Iterator[tuple[Prompt, bool]]:
    """Yield the prompts of these partition keys and whether they have left the dataset, a few hundred at a time."""
    for rows in dataset.read_where("prompt_id", [prompt_id_of(key) for key in keys]):
        for stored in read_stored_prompts(rows):
            yield stored.prompt, stored.is_withdrawn


def is_up_to_date(store: TableStore, table: str, key: str, fingerprint: str) -> bool:
    """Return whether a prompt's rows are done and depend on just what they should."""
    rows = store.read(table, key, RowStatus._fields)
    if rows is None or not rows.num_rows:
        return False
    row_status = read_row_status(rows)
    return row_status.status == Status.DONE and row_status.input_fingerprint == fingerprint


def upstream_rows(handle: StoredTable) -> pa.Table:
    """Return the rows of the asset before.

    Raises:
        UpstreamError: the prompt failed there.
    """
    rows = handle.read()
    row_status = read_row_status(rows)
    if row_status.status == Status.FAILED:
        raise UpstreamError(row_status.error)
    return rows
