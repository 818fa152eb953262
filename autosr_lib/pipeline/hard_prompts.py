"""Scope `global_batch`: which prompts, of all, the next generation evolves (docs/method.md §7)."""

from dataclasses import dataclass

import pyarrow as pa

from autosr_lib.errors import StorageError
from autosr_lib.pipeline.prompts import present_prompt_ids
from autosr_lib.search.hardness import PromptProgress, hardest_prompts, hardness, measure_progress
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.rows import Row
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables import HARD_PROMPTS, Status

_COLUMNS = ["status", "place", "top_margin", "has_right_top", "stopped"]
_NAMED = 5


@dataclass(frozen=True)
class HardPrompts:
    """The prompts that a generation evolves."""

    prompt_ids: frozenset[str]
    are_complete: bool
    """Whether every prompt of the dataset was complete when these were chosen."""


def choose_hard_prompts(store: TableStore, table: str, dataset: StoredTable, batch_size: float) -> pa.Table:
    """Return how hard every prompt of the dataset is after the generation in `table`, and which ones are hardest.

    Args:
        store: with the tables.
        table: of the generation.
        dataset: handle on the stored prompts.
        batch_size: how many are hardest: a count, or a fraction below 1.

    Raises:
        StorageError: a prompt that has not left the dataset has no row yet.
    """
    progress: dict[str, PromptProgress] = {}
    is_complete: dict[str, bool] = {}
    missing = []
    for prompt_id in present_prompt_ids(dataset):
        rows = store.read(table, partition_key(prompt_id), _COLUMNS)
        if rows is None:
            missing.append(prompt_id)
            continue
        individuals = rows.to_pylist()
        is_complete[prompt_id] = individuals[0]["status"] == Status.DONE
        if individuals[0]["status"] != Status.FAILED:
            progress[prompt_id] = _progress(individuals)
    if missing:
        named = ", ".join(map(repr, missing[:_NAMED]))
        count = f"{len(missing)} prompt has" if len(missing) == 1 else f"{len(missing)} prompts have"
        raise StorageError(
            f"{table}: {count} no row yet ({named}); the scope global_batch chooses among all prompts: materialize "
            "this asset for all of them first"
        )
    chosen = set(hardest_prompts(progress, batch_size))
    rows = [
        _row(prompt_id, progress.get(prompt_id), is_hard=prompt_id in chosen, is_complete=complete)
        for prompt_id, complete in is_complete.items()
    ]
    return pa.Table.from_pylist(rows, schema=HARD_PROMPTS)


def read_hard_prompts(handle: StoredTable) -> HardPrompts:
    """Return what `choose_hard_prompts` chose."""
    rows = handle.read(["prompt_id", "is_hard", "is_whole"]).to_pylist()
    hard = frozenset(row["prompt_id"] for row in rows if row["is_hard"])
    return HardPrompts(hard, all(row["is_whole"] for row in rows))


def _progress(rows: list[Row]) -> PromptProgress:
    population = [row for row in rows if row["place"] is not None]
    tops = [row["has_right_top"] for row in population]
    return measure_progress(population[0]["top_margin"], tops, is_open=rows[0]["stopped"] is None)


def _row(prompt_id: str, progress: PromptProgress | None, *, is_hard: bool, is_complete: bool) -> Row:
    row: Row = {"prompt_id": prompt_id, "is_hard": is_hard, "is_whole": is_complete}
    if progress is None:
        return row
    return row | {
        "hardness": hardness(progress),
        "margin": progress.margin,
        "wrong_share": progress.wrong_share,
    }
