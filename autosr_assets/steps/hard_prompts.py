"""What the assets `hard_prompts_NN` do: choose, over all prompts, those that the next generation evolves."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from autosr_lib.errors import StorageError
from autosr_lib.search.hardness import Standing, hardest, hardness, standing_of
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.hard_prompts import HardPromptRow, hard_prompts_table, read_hard_prompts
from autosr_lib.storage.tables.population import STANDING_COLUMNS, PopulationStanding, read_population_standing
from autosr_lib.storage.tables.prompts import PromptStatus, present_prompt_ids

NAMED = 5


@dataclass(frozen=True)
class Chosen:
    """The prompts that a generation evolves, and whether all prompts stood whole when they were chosen."""

    prompt_ids: frozenset[str]
    is_whole: bool


def hard_prompts(store: TableStore, table: str, dataset: StoredTable, batch_size: float) -> pa.Table:
    """Return how hard every prompt of the dataset is after the generation `table`, and which are the hardest.

    Raises:
        StorageError: a prompt that has not left the dataset has no row yet.
    """
    standings: dict[str, Standing] = {}
    whole: dict[str, bool] = {}
    missing = []
    for prompt_id in _present(dataset):
        rows = store.read(table, partition_key(prompt_id), STANDING_COLUMNS)
        if rows is None:
            missing.append(prompt_id)
            continue
        population = read_population_standing(rows)
        whole[prompt_id] = population.status == Status.DONE
        if population.status != Status.FAILED:
            standings[prompt_id] = _standing(population)
    if missing:
        named = ", ".join(map(repr, missing[:NAMED]))
        raise StorageError(
            f"{table}: {len(missing)} prompts have no row yet ({named}); the scope global_batch chooses among all "
            "prompts: materialize this asset for all of them first"
        )
    chosen = set(hardest(standings, batch_size))
    return hard_prompts_table(
        _row(name, standings.get(name), is_hard=name in chosen, is_complete=whole[name]) for name in whole
    )


def read_chosen(handle: StoredTable) -> Chosen:
    """Return what `hard_prompts` chose."""
    rows = read_hard_prompts(handle.read())
    return Chosen(frozenset(row.prompt_id for row in rows if row.is_hard), all(row.is_complete for row in rows))


def _present(dataset: StoredTable) -> Iterable[str]:
    return present_prompt_ids(dataset.read(PromptStatus._fields))


def _standing(population: PopulationStanding) -> Standing:
    margin = population.top_margin or 0.0
    return standing_of(margin, population.has_right_top, is_open=population.stopped is None)


def _row(prompt_id: str, standing: Standing | None, *, is_hard: bool, is_complete: bool) -> HardPromptRow:
    if standing is None:
        return HardPromptRow(prompt_id, None, None, None, is_hard, is_complete)
    return HardPromptRow(prompt_id, hardness(standing), standing.margin, standing.wrong_share, is_hard, is_complete)
