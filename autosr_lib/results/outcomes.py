"""The best rubrics of a search, in the order of its dataset."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa

from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import StoredTable, TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import StoredBest, read_best_rubric
from autosr_lib.storage.tables.columns import Status, UnsuccessfulRow, read_flat
from autosr_lib.storage.tables.prompts import PromptText

NOT_SEARCHED = "not searched yet"


class PromptOutcome(NamedTuple):
    """The text of a prompt and the result of its search."""

    prompt: str
    row: StoredBest


def read_outcomes(
    store: TableStore,
    table: TableName,
    dataset: StoredTable,
    cached_rows: Callable[[str], pa.Table | None] = lambda _: None,
) -> Iterator[PromptOutcome]:
    """Yield the outcome of every prompt of a dataset, in its order, without withdrawn prompts.

    A prompt that has no row in the table of best rubrics counts as failed. Each row is read once.

    Args:
        store: the tables.
        table: the name of the table of best rubrics.
        dataset: handle on the stored prompts.
        cached_rows: returns the rows of a prompt that are in memory; the others are read.
    """
    texts = (text for part in dataset.read_batches(PromptText._fields) for text in read_flat(PromptText, part))
    for text in texts:
        if text.status == Status.WITHDRAWN:
            continue
        rows = cached_rows(text.prompt_id)
        if rows is None:
            rows = store.read(table, partition_key(text.prompt_id))
        row = None if rows is None else read_best_rubric(rows)
        if row is None or row.status == Status.WITHDRAWN:
            row = UnsuccessfulRow(text.prompt_id, Status.FAILED, NOT_SEARCHED, None)
        yield PromptOutcome(text.prompt, row)
