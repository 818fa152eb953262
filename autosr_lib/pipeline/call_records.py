"""The record of model calls: one table per run, and the usage by prompt, by search and by role."""

import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from autosr_lib.backends import Backend
from autosr_lib.llm.call_records import calls_table
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import read_flat


class _RoleSums(NamedTuple):
    """Sums over the calls of a role; the fields have the names that Arrow gives to sums of columns."""

    role: str
    prompt_tokens_sum: int
    completion_tokens_sum: int
    cost_sum: float


class _CallSums(NamedTuple):
    """Sums over calls; the fields have the names of the columns."""

    requests: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(frozen=True)
class Usage:
    """The usage of model calls."""

    requests: int = 0
    cached_calls: int = 0
    """Calls that were answered from the cache of replies."""
    tokens: int = 0
    cost: float = 0.0
    """In US dollars, at the prices of the settings."""


def store_calls(backend: Backend, store: TableStore, run_id: str, table: TableName) -> Mapping[str, Mapping[str, Any]]:
    """Store the calls that were made to fill `table`, and return their sums by partition key.

    An offline backend makes no calls, and nothing is stored.
    """
    if backend.client is None or not (records := backend.client.calls.drain()):
        return {}
    store.write(TableName.calls(run_id), str(table), calls_table(records))
    usage: dict[str, dict[str, Any]] = {}
    for record in records:
        sums = usage.setdefault(partition_key(record.prompt_id), {})
        tokens = record.prompt_tokens + record.completion_tokens
        for name, value in (("requests", record.requests), ("tokens", tokens), ("cost", record.cost)):
            sums[f"{record.role}_{name}"] = sums.get(f"{record.role}_{name}", 0) + value
        sums["cached_calls"] = sums.get("cached_calls", 0) + record.cached
    return usage


def search_usage(store: TableStore, search: str) -> Usage:
    """Return the usage of a search over all runs whose calls are stored, without the calls of its dataset's judge."""
    totals = _CallSums(0, 0, 0, 0, 0.0)
    judged = TableName.preferences(search)  # the search and its dataset may have the same name
    for calls, filled in _filled_tables(store):
        keys = [str(table) for table in filled if table.owner == search and table != judged]
        for _, rows in store.scan(calls, _CallSums._fields, keys):
            sums = (pc.sum(rows[name]).as_py() or 0 for name in _CallSums._fields)
            totals = _CallSums(*map(operator.add, totals, sums))
    return Usage(totals.requests, totals.cached, totals.prompt_tokens + totals.completion_tokens, totals.cost)


def usage_by_role(store: TableStore, search: str, dataset: str) -> dict[str, Usage]:
    """Return tokens and cost by role over all runs: of a search, and of its dataset's judge and responder."""
    usage: dict[str, Usage] = {}
    of_dataset = {TableName.candidates(dataset), TableName.preferences(dataset)}
    for calls, filled in _filled_tables(store):
        keys = [str(table) for table in filled if table.owner == search or table in of_dataset]
        for _, rows in store.scan(calls, ["role", "prompt_tokens", "completion_tokens", "cost"], keys):
            for sums in _sums_by_role(rows):
                before = usage.get(sums.role, Usage())
                tokens = before.tokens + sums.prompt_tokens_sum + sums.completion_tokens_sum
                usage[sums.role] = Usage(tokens=tokens, cost=before.cost + sums.cost_sum)
    return usage


def _filled_tables(store: TableStore) -> Iterator[tuple[TableName, list[TableName]]]:
    """Yield each run's table of calls with the tables that the calls were made to fill."""
    folder = store.root / "calls"
    for calls in sorted(TableName.calls(run.name) for run in folder.iterdir()) if folder.is_dir() else ():
        yield calls, [TableName.parse(key) for key in store.keys(calls)]


def _sums_by_role(rows: pa.Table) -> list[_RoleSums]:
    sums = rows.group_by("role").aggregate([(name, "sum") for name in rows.column_names if name != "role"])
    return read_flat(_RoleSums, sums)
