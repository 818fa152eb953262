"""The record of model calls: a table for each run, and what the calls of each prompt used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from autosr_lib.backends import Backend
from autosr_lib.llm.call_records import calls_table
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore

_SUMMED = ["requests", "cached", "prompt_tokens", "completion_tokens", "cost"]


@dataclass(frozen=True)
class Usage:
    """What model calls used."""

    requests: int = 0
    cached_calls: int = 0
    """Calls that a kept reply answered."""
    tokens: int = 0
    cost: float = 0.0
    """US dollars, by the prices of the settings."""


def store_calls(backend: Backend, store: TableStore, run_id: str, step: str) -> Mapping[str, Mapping[str, Any]]:
    """Store the calls since the last step in the table `calls/<run id>`, and return their sums by partition key.

    An offline backend makes no calls, and nothing is stored.
    """
    if backend.client is None or not (records := backend.client.calls.drain()):
        return {}
    store.write(f"calls/{run_id}", step, calls_table(records))
    usage: dict[str, dict[str, Any]] = {}
    for record in records:
        sums = usage.setdefault(partition_key(record.prompt_id), {})
        tokens = record.prompt_tokens + record.completion_tokens
        for name, value in (("requests", record.requests), ("tokens", tokens), ("cost", record.cost)):
            sums[f"{record.role}_{name}"] = sums.get(f"{record.role}_{name}", 0) + value
        sums["cached_calls"] = sums.get("cached_calls", 0) + record.cached
    return usage


def search_usage(store: TableStore, search: str) -> Usage:
    """Return what a search has used in all runs whose calls are stored; its dataset's judge is not part of it."""
    totals = dict.fromkeys(_SUMMED, 0)
    for table, steps in _steps_by_run(store):
        wanted = [step for step in steps if step.startswith(f"{search}/") and step != f"{search}/preferences"]
        for _, rows in store.scan(table, _SUMMED, wanted):
            for name in _SUMMED:
                totals[name] += pc.sum(rows[name]).as_py() or 0
    tokens = totals["prompt_tokens"] + totals["completion_tokens"]
    return Usage(totals["requests"], totals["cached"], tokens, float(totals["cost"]))


def usage_by_role(store: TableStore, search: str, dataset: str) -> dict[str, Usage]:
    """Return tokens and cost by role, of a search and its dataset's judge and responder, in all stored runs."""
    usage: dict[str, Usage] = {}
    of_dataset = {f"{dataset}/candidates", f"{dataset}/preferences"}
    for table, steps in _steps_by_run(store):
        wanted = [step for step in steps if step.startswith(f"{search}/") or step in of_dataset]
        for _, rows in store.scan(table, ["role", "prompt_tokens", "completion_tokens", "cost"], wanted):
            for sums in _sums_by_role(rows):
                before = usage.get(sums["role"], Usage())
                tokens = before.tokens + sums["prompt_tokens_sum"] + sums["completion_tokens_sum"]
                usage[sums["role"]] = Usage(tokens=tokens, cost=before.cost + sums["cost_sum"])
    return usage


def _steps_by_run(store: TableStore) -> Iterator[tuple[str, list[str]]]:
    """Yield each run's table of calls with the steps that it has rows of."""
    folder = store.root / "calls"
    for table in sorted(f"calls/{run.name}" for run in folder.iterdir()) if folder.is_dir() else ():
        yield table, store.keys(table)


def _sums_by_role(rows: pa.Table) -> list[dict[str, Any]]:
    sums = rows.group_by("role").aggregate([(name, "sum") for name in rows.column_names if name != "role"])
    by_role: list[dict[str, Any]] = sums.to_pylist()
    return by_role
