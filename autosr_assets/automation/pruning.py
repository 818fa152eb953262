"""What may go: states in the middle of searches that have ended, old runs of Dagster, old replies.

Nothing that goes makes a prompt stale. A pruned generation keeps its row's fingerprint, by which a prompt is known to be
up to date, and loses its state; where a later run does need that state it is searched again from the initial rubrics.
Those, the last generation, the best rubrics and the records of runs stay.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import dagster as dg

from autosr_assets.checks.check_results import check_results
from autosr_assets.records.recorded_runs import latest_manifests
from autosr_assets.runtime.home import dagster_home
from autosr_assets.runtime.instance import open_instance
from autosr_lib.llm.cache.reply_cache import PersistentCache
from autosr_lib.search.settings import Scope
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.columns import Status, read_status
from autosr_lib.storage.tables.population import is_pruned, pruned_table

_AT_ONCE = 500
"""Storage ids of one question; SQLite takes 32,766 variables."""


@dataclass
class Prunable:
    """Things of one kind that may go, and how much they hold."""

    count: int = 0
    size: int = 0
    by_name: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, size: int) -> None:
        """Count one thing."""
        self.count += 1
        self.size += size
        self.by_name[name] = self.by_name.get(name, 0) + 1


class Pruner(Protocol):
    """One kind of things that may go."""

    def plan(self) -> Prunable:
        """Return what may go."""

    def prune(self) -> int:
        """Let go of it; return how many bytes that freed."""


class Generations:
    """Generations between the first and the last of prompts whose search has ended."""

    def __init__(self, store: TableStore, before: float) -> None:
        self._store = store
        self._before = before

    def plan(self) -> Prunable:
        """Return what may go."""
        found = Prunable()
        for table, key in self._files():
            found.add(table, self._store.path(table, key).stat().st_size)
        return found

    def prune(self) -> int:
        """Let go of the states; return how many bytes that freed."""
        freed = 0
        for table, key in self._files():
            path = self._store.path(table, key)
            size = path.stat().st_size
            self._store.write(table, key, pruned_table(self._store.stored(table, key).read()))
            freed += size - path.stat().st_size
        return freed

    def _files(self) -> Iterator[tuple[str, str]]:
        for manifest in latest_manifests(self._store):
            # In the other scope a prompt's generation depends on all prompts, and could not be searched again alone.
            if manifest["structure"]["scope"] == Scope.PROMPT_LOCAL:
                yield from self._of_search(manifest["search"], manifest["structure"]["generations"])

    def _of_search(self, search: str, generations: int) -> Iterator[tuple[str, str]]:
        folders = sorted(
            path.name for path in (self._store.root / search).iterdir() if path.name.startswith("generation_")
        )
        best = f"{search}/best_rubrics"
        ended = [key for key, rows in self._store.scan(best, ["status"]) if read_status(rows) == Status.DONE]
        old = [key for key in ended if self._store.path(best, key).stat().st_mtime < self._before]
        for folder in folders[:-1]:  # the last one that there is: a wider search would go on from it
            table = f"{search}/{folder}"
            if folder == f"generation_{generations:02d}":
                continue
            there = set(self._store.keys(table))
            for key in old:
                if key in there and not is_pruned(self._store.stored(table, key).read(["history"])):
                    yield table, key


class Runs:
    """Finished runs of Dagster that no asset's present state comes from."""

    def __init__(self, store: TableStore, before: float) -> None:
        self._store = store
        self._before = datetime.fromtimestamp(before, UTC)

    def plan(self) -> Prunable:
        """Return what may go."""
        found = Prunable()
        for run_id in self._ids:
            found.add("runs", sum(path.stat().st_size for path in self._logs(run_id)))
        return found

    def prune(self) -> int:
        """Delete the runs with their events; return how many bytes that freed on this machine."""
        freed = 0
        for run_id in self._ids:
            self._instance.delete_run(run_id)
            with suppress(NotImplementedError):
                self._instance.compute_log_manager.delete_logs(prefix=[run_id])
            for path in self._logs(run_id):
                freed += path.stat().st_size
                path.unlink()
        history = dagster_home() / "history"
        return freed + sum(shrunk(path) for path in (history / "runs.db", history / "runs" / "index.db"))

    @cached_property
    def _instance(self) -> dg.DagsterInstance:
        return open_instance()

    @cached_property
    def _ids(self) -> list[str]:
        ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
        done = dg.RunsFilter(statuses=ended, created_before=self._before)
        old = [run.run_id for run in self._instance.get_runs(done)]
        if not old:
            return []
        checked = check_results((one["search"], one["dataset_name"]) for one in latest_manifests(self._store))
        needed = {one.run_id for one in checked} | set(self._runs_of_the_present())
        return [run_id for run_id in old if run_id not in needed]

    def _runs_of_the_present(self) -> Iterator[str]:
        """Yield the runs that hold an asset's latest materialization, or that of one of its partitions."""
        storage, kind = self._instance.event_log_storage, dg.DagsterEventType.ASSET_MATERIALIZATION
        for key in self._instance.all_asset_keys():
            if (latest := self._instance.get_latest_materialization_event(key)) is not None:
                yield latest.run_id
            ids = list(storage.get_latest_storage_id_by_partition(key, kind).values())
            for start in range(0, len(ids), _AT_ONCE):
                wanted = dg.EventRecordsFilter(
                    kind, storage_ids=ids[start : start + _AT_ONCE], before_timestamp=self._before.timestamp()
                )
                for record in storage.get_event_records(wanted):
                    yield record.run_id

    @staticmethod
    def _logs(run_id: str) -> list[Any]:
        """Return the files of a run's events, where Dagster keeps one a run; deleting the run empties them only."""
        folder = dagster_home() / "history" / "runs"
        return sorted(folder.glob(f"{run_id}.db*"))


class Replies:
    """Replies of models that were kept before a time."""

    def __init__(self, cache: PersistentCache, before: float) -> None:
        self._cache = cache
        self._before = before

    def plan(self) -> Prunable:
        """Return what may go."""
        count, size = self._cache.count_before(self._before)
        return Prunable(count, size)

    def prune(self) -> int:
        """Forget the replies; return how many bytes they had."""
        _, size = self._cache.count_before(self._before)
        self._cache.delete_before(self._before)
        return size


def shrunk(database: Path, patience: float = 5) -> int:
    """Give the room that deleted rows left in a SQLite file back to the disk; return how many bytes that were.

    One that is not there, since Dagster's records lie elsewhere, or that somebody reads for more than `patience` seconds stays as it is.
    """
    if not database.is_file():
        return 0
    before = database.stat().st_size
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(database, patience)) as connection:
        connection.execute("VACUUM")
    return max(0, before - database.stat().st_size)


def days_ago(days: float) -> float:
    """Return the time this many days ago; what was made before it is old."""
    return time.time() - days * 86_400
