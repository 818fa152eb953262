"""The record of model calls: a table a run, and what each prompt of a step has used."""

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from autosr_lib.backends import Backend
from autosr_lib.llm.call_records import calls_table
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore


def keep_calls(backend: Backend, store: TableStore, run_id: str, step: str) -> Mapping[str, Mapping[str, Any]]:
    """Store the calls since the last step in the table `calls/<run id>`, and return their sums by partition key.

    Offline there are none, and nothing is stored.
    """
    if backend.client is None or not (rows := backend.client.calls.drain()):
        return {}
    store.write(f"calls/{run_id}", step, calls_table(rows))
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        used = sums.setdefault(partition_key(row.prompt_id), {})
        tokens = row.prompt_tokens + row.completion_tokens
        for name, value in (("requests", row.requests), ("tokens", tokens), ("cost", row.cost)):
            used[f"{row.role}_{name}"] = used.get(f"{row.role}_{name}", 0) + value
        used["cached_calls"] = used.get("cached_calls", 0) + row.cached
    return sums


def spent_on(store: TableStore, search: str) -> dict[str, Any]:
    """Return what the models of a search have used, its dataset's judge apart, in all runs whose calls are kept."""
    spent = {"requests": 0, "cached_calls": 0, "tokens": 0, "cost": 0.0}
    folder = store.root / "calls"
    for table in sorted(f"calls/{run.name}" for run in folder.iterdir()) if folder.is_dir() else ():
        steps = [
            step for step in store.keys(table) if step.startswith(f"{search}/") and step != f"{search}/preferences"
        ]
        for _, rows in store.scan(table, ["requests", "cached", "prompt_tokens", "completion_tokens", "cost"], steps):
            sums = {name: pc.sum(rows[name]).as_py() or 0 for name in rows.column_names}
            spent["requests"] += sums["requests"]
            spent["cached_calls"] += sums["cached"]
            spent["tokens"] += sums["prompt_tokens"] + sums["completion_tokens"]
            spent["cost"] += sums["cost"]
    return spent


def spent_by_role(store: TableStore, search: str, dataset: str) -> dict[str, dict[str, float]]:
    """Return tokens and cost by role, of a search and its dataset's judge and responder, in all runs whose calls are kept."""
    spent: dict[str, dict[str, float]] = {}
    of_dataset = {f"{dataset}/candidates", f"{dataset}/preferences"}
    folder = store.root / "calls"
    for table in sorted(f"calls/{run.name}" for run in folder.iterdir()) if folder.is_dir() else ():
        steps = [step for step in store.keys(table) if step.startswith(f"{search}/") or step in of_dataset]
        for _, rows in store.scan(table, ["role", "prompt_tokens", "completion_tokens", "cost"], steps):
            sums = rows.group_by("role").aggregate([(name, "sum") for name in rows.column_names if name != "role"])
            for row in sums.to_pylist():
                used = spent.setdefault(row["role"], {"tokens": 0, "cost": 0.0})
                used["tokens"] += row["prompt_tokens_sum"] + row["completion_tokens_sum"]
                used["cost"] += row["cost_sum"]
    return spent
