"""What `autosr prune` deletes: intermediate states of finished searches, old Dagster runs and old cached replies.

Pruning makes no prompt stale. A pruned generation loses its state but keeps its input fingerprint, so the prompt stays up to
date. If a later run needs the state, it is computed again from the initial rubrics. The initial rubrics, the last
generation, the best rubrics and the records of runs are never deleted.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

import dagster as dg

from autosr_assets.checks.check_results import check_results
from autosr_assets.records.recorded_runs import latest_manifests
from autosr_assets.runtime.home import dagster_home
from autosr_assets.runtime.instance import open_instance
from autosr_lib.llm.cache.reply_cache import PersistentCache
from autosr_lib.search.settings import Scope
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import Status, read_status
from autosr_lib.storage.tables.population import is_pruned, pruned_table

_IDS_PER_QUERY = 500
"""Storage ids in one query; SQLite allows 32,766 variables."""
_SECONDS_PER_DAY = 86_400


@dataclass
class PrunePlan:
    """How many items of one kind can be deleted, and their size."""

    count: int = 0
    size: int = 0
    """In bytes."""
    by_name: dict[str, int] = field(default_factory=dict)
    """Number of items by table or kind."""

    def add(self, name: str, size: int) -> None:
        """Count one item."""
        self.count += 1
        self.size += size
        self.by_name[name] = self.by_name.get(name, 0) + 1


class Pruner(Protocol):
    """Deletes old items of one kind."""

    def plan(self) -> PrunePlan:
        """Return what can be deleted."""

    def prune(self) -> int:
        """Delete it; return the number of bytes freed."""


class GenerationPruner:
    """Prunes the states between the first and the last generation of prompts whose search has finished."""

    def __init__(self, store: TableStore, before: float) -> None:
        self._store = store
        self._before = before

    def plan(self) -> PrunePlan:
        """Return what can be deleted."""
        plan = PrunePlan()
        for table, key in self._files():
            plan.add(str(table), self._store.path(table, key).stat().st_size)
        return plan

    def prune(self) -> int:
        """Delete the states; return the number of bytes freed."""
        freed = 0
        for table, key in self._files():
            path = self._store.path(table, key)
            size = path.stat().st_size
            self._store.write(table, key, pruned_table(self._store.stored(table, key).read()))
            freed += size - path.stat().st_size
        return freed

    def _files(self) -> Iterator[tuple[TableName, str]]:
        for manifest in latest_manifests(self._store):
            # In scope global_batch a generation depends on all prompts, so one prompt's state cannot be computed again.
            if manifest["structure"]["scope"] == Scope.PROMPT_LOCAL:
                yield from self._files_of_search(manifest["search"], manifest["structure"]["generations"])

    def _files_of_search(self, search: str, generations: int) -> Iterator[tuple[TableName, str]]:
        tables = sorted(
            TableName(search, path.name)
            for path in (self._store.root / search).iterdir()
            if path.name.startswith("generation_")
        )
        best = TableName.best_rubrics(search)
        done = [key for key, rows in self._store.scan(best, ["status"]) if read_status(rows) == Status.DONE]
        finished = [key for key in done if self._store.path(best, key).stat().st_mtime < self._before]
        for table in tables[:-1]:  # a search with more generations would continue from the last one
            if table == TableName.generation(search, generations):
                continue
            stored = set(self._store.keys(table))
            for key in finished:
                if key in stored and not is_pruned(self._store.stored(table, key).read(["history"])):
                    yield table, key


class RunPruner:
    """Prunes finished Dagster runs, except those that produced the current state of an asset."""

    def __init__(self, store: TableStore, before: float) -> None:
        self._store = store
        self._before = datetime.fromtimestamp(before, UTC)

    def plan(self) -> PrunePlan:
        """Return what can be deleted."""
        plan = PrunePlan()
        for run_id in self._ids:
            plan.add("runs", sum(path.stat().st_size for path in self._logs(run_id)))
        return plan

    def prune(self) -> int:
        """Delete the runs with their events; return the number of bytes freed on this machine."""
        freed = 0
        for run_id in self._ids:
            self._instance.delete_run(run_id)
            with suppress(NotImplementedError):
                self._instance.compute_log_manager.delete_logs(prefix=[run_id])
            for path in self._logs(run_id):
                freed += path.stat().st_size
                path.unlink()
        history = dagster_home() / "history"
        return freed + sum(vacuum(path) for path in (history / "runs.db", history / "runs" / "index.db"))

    @cached_property
    def _instance(self) -> dg.DagsterInstance:
        return open_instance()

    @cached_property
    def _ids(self) -> list[str]:
        finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
        old_runs = dg.RunsFilter(statuses=finished, created_before=self._before)
        old = [run.run_id for run in self._instance.get_runs(old_runs)]
        if not old:
            return []
        checked = check_results((run["search"], run["dataset_name"]) for run in latest_manifests(self._store))
        needed = {result.run_id for result in checked} | set(self._current_runs())
        return [run_id for run_id in old if run_id not in needed]

    def _current_runs(self) -> Iterator[str]:
        """Yield the ids of the runs with the latest materialization of an asset or of one of its partitions."""
        storage, kind = self._instance.event_log_storage, dg.DagsterEventType.ASSET_MATERIALIZATION
        for key in self._instance.all_asset_keys():
            if (latest := self._instance.get_latest_materialization_event(key)) is not None:
                yield latest.run_id
            ids = list(storage.get_latest_storage_id_by_partition(key, kind).values())
            for start in range(0, len(ids), _IDS_PER_QUERY):
                latest_events = dg.EventRecordsFilter(
                    kind, storage_ids=ids[start : start + _IDS_PER_QUERY], before_timestamp=self._before.timestamp()
                )
                for record in storage.get_event_records(latest_events):
                    yield record.run_id

    @staticmethod
    def _logs(run_id: str) -> list[Path]:
        """Return the files of a run's events. Dagster has one per run, and deleting the run only empties it."""
        folder = dagster_home() / "history" / "runs"
        return sorted(folder.glob(f"{run_id}.db*"))


class ReplyPruner:
    """Prunes model replies that were cached before a time."""

    def __init__(self, cache: PersistentCache, before: float) -> None:
        self._cache = cache
        self._before = before

    def plan(self) -> PrunePlan:
        """Return what can be deleted."""
        count, size = self._cache.count_before(self._before)
        return PrunePlan(count, size)

    def prune(self) -> int:
        """Delete the replies; return their size in bytes."""
        _, size = self._cache.count_before(self._before)
        self._cache.delete_before(self._before)
        return size


def vacuum(database: Path, timeout: float = 5) -> int:
    """Shrink a SQLite file by the space of its deleted rows; return the number of bytes freed.

    Nothing happens if the file does not exist (Dagster's records may be in another database), or if another process uses it
    for more than `timeout` seconds.
    """
    if not database.is_file():
        return 0
    before = database.stat().st_size
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(database, timeout)) as connection:
        connection.execute("VACUUM")
    return max(0, before - database.stat().st_size)


def days_ago(days: float) -> float:
    """Return the time `days` days ago, in seconds since the epoch."""
    return time.time() - days * _SECONDS_PER_DAY
