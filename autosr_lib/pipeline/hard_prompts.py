"""Scope `global_batch`: the choice of the prompts that the next generation evolves (docs/method.md §7)."""

from dataclasses import dataclass

from autosr_lib.domain.wording import plural
from autosr_lib.errors import StorageError
from autosr_lib.pipeline.prompts import present_prompt_ids
from autosr_lib.search.hardness import PromptProgress, hardest_prompts, hardness, measure_progress
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.hard_prompts import HardPromptRow, read_hard_prompt_rows
from autosr_lib.storage.tables.population import STANDING_COLUMNS, PopulationStanding, read_population_standing

_NAMED = 5
"""Prompts that an error names; the others are counted."""


@dataclass(frozen=True)
class HardPrompts:
    """The prompts that a generation evolves."""

    prompt_ids: frozenset[str]
    are_complete: bool
    """Whether every prompt of the dataset was complete when these were chosen."""


def choose_hard_prompts(
    store: TableStore, table: TableName, dataset: StoredTable, batch_size: float
) -> list[HardPromptRow]:
    """Return how hard each prompt of the dataset is after a generation, and which prompts are hardest.

    Args:
        store: the tables.
        table: the populations after the generation.
        dataset: handle on the stored prompts.
        batch_size: number of hardest prompts: a count, or a fraction of all prompts if below 1.

    Raises:
        StorageError: a prompt that is still in the dataset has no row yet.
    """
    progress: dict[str, PromptProgress] = {}
    is_complete: dict[str, bool] = {}
    missing = []
    for prompt_id in present_prompt_ids(dataset):
        rows = store.read(table, partition_key(prompt_id), STANDING_COLUMNS)
        if rows is None:
            missing.append(prompt_id)
            continue
        standing = read_population_standing(rows)
        is_complete[prompt_id] = standing.status == Status.DONE
        if standing.status != Status.FAILED:
            progress[prompt_id] = _progress(standing)
    if missing:
        named = ", ".join(map(repr, missing[:_NAMED]))
        count = f"{plural(len(missing), 'prompt')} {'has' if len(missing) == 1 else 'have'}"
        raise StorageError(
            f"{table}: {count} no row yet ({named}); the scope global_batch chooses among all prompts: materialize "
            "this asset for all of them first"
        )
    chosen = set(hardest_prompts(progress, batch_size))
    return [
        _row(prompt_id, progress.get(prompt_id), is_hard=prompt_id in chosen, is_complete=complete)
        for prompt_id, complete in is_complete.items()
    ]


def read_hard_prompts(handle: StoredTable) -> HardPrompts:
    """Return what `choose_hard_prompts` chose."""
    rows = read_hard_prompt_rows(handle.read())
    return HardPrompts(frozenset(row.prompt_id for row in rows if row.is_hard), all(row.is_complete for row in rows))


def _progress(standing: PopulationStanding) -> PromptProgress:
    is_open = standing.stopped is None
    return measure_progress(standing.top_margin or 0.0, standing.has_right_top, is_open=is_open)


def _row(prompt_id: str, progress: PromptProgress | None, *, is_hard: bool, is_complete: bool) -> HardPromptRow:
    if progress is None:
        return HardPromptRow(prompt_id, None, None, None, is_hard, is_complete)
    return HardPromptRow(prompt_id, hardness(progress), progress.margin, progress.wrong_share, is_hard, is_complete)
