"""What the assets `hard_prompts_NN` do: choose, over all prompts, those that the next generation evolves."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from autosr_lib.errors import StorageError
from autosr_lib.search.hardness import Standing, hardest, hardness, standing_of
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.rows import Row
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.tables import HARD_PROMPTS, Status

COLUMNS = ["status", "place", "top_margin", "has_right_top", "stopped"]
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
        rows = store.read(table, partition_key(prompt_id), COLUMNS)
        if rows is None:
            missing.append(prompt_id)
            continue
        people = rows.to_pylist()
        whole[prompt_id] = people[0]["status"] == Status.DONE
        if people[0]["status"] != Status.FAILED:
            standings[prompt_id] = _standing(people)
    if missing:
        named = ", ".join(map(repr, missing[:NAMED]))
        raise StorageError(
            f"{table}: {len(missing)} prompts have no row yet ({named}); the scope global_batch chooses among all "
            "prompts: materialize this asset for all of them first"
        )
    chosen = set(hardest(standings, batch_size))
    return pa.Table.from_pylist(
        [_row(name, standings.get(name), is_hard=name in chosen, is_whole=whole[name]) for name in whole],
        schema=HARD_PROMPTS,
    )


def read_chosen(handle: StoredTable) -> Chosen:
    """Return what `hard_prompts` chose."""
    rows = handle.read(["prompt_id", "is_hard", "is_whole"]).to_pylist()
    return Chosen(frozenset(row["prompt_id"] for row in rows if row["is_hard"]), all(row["is_whole"] for row in rows))


def _present(dataset: StoredTable) -> Iterable[str]:
    rows = dataset.read(["prompt_id", "status"]).to_pylist()
    return [row["prompt_id"] for row in rows if row["status"] != Status.WITHDRAWN]


def _standing(people: list[Row]) -> Standing:
    population = [one for one in people if one["place"] is not None]
    tops = [one["has_right_top"] for one in population]
    return standing_of(population[0]["top_margin"], tops, is_open=people[0]["stopped"] is None)


def _row(prompt_id: str, standing: Standing | None, *, is_hard: bool, is_whole: bool) -> Row:
    row: Row = {"prompt_id": prompt_id, "is_hard": is_hard, "is_whole": is_whole}
    if standing is None:
        return row
    return row | {
        "hardness": hardness(standing),
        "margin": standing.margin,
        "wrong_share": standing.wrong_share,
    }
