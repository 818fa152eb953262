"""What there is to do for a search, and in which range runs; found by comparing input fingerprints."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from autosr_assets.steps.search_steps import SearchSteps
from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.domain.prompt import Prompt
from autosr_lib.search.settings import Scope
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.tables.columns import RowStatus, Status, read_row_status

MISSING, STALE = "missing", "stale"
KINDS = (MISSING, Status.FAILED, STALE, Status.INCOMPLETE, Status.DONE, Status.WITHDRAWN)

WORTH_A_RUN = 5
"""Prompts with nothing to do in a row from which on another run is cheaper than passing them through."""


@dataclass
class WorkLeft:
    """The prompts of a search by what is to be done about them."""

    counts: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    """Partition keys of the prompts that there is something to do for."""
    rows: list[list[str | None]] = field(default_factory=list)
    """(prompt, status, input fingerprint) of what is stored, in the order of the dataset."""

    @property
    def content(self) -> str:
        """Return the name of all that is stored; another one means another export."""
        return fingerprint(self.rows)


def work_left(steps: SearchSteps, prompts: Iterable[tuple[Prompt, bool]]) -> WorkLeft:
    """Return what is left to do for these prompts, each with whether it has been withdrawn.

    The last table alone is looked at: its fingerprint covers all before it.
    """
    table = steps.table("best_rubrics")
    found = WorkLeft()
    there = set(steps.store.keys(table))
    for prompt, is_withdrawn in prompts:
        if is_withdrawn:
            found.counts[Status.WITHDRAWN] += 1
            continue
        key = partition_key(prompt.prompt_id)
        rows = steps.store.read(table, key, RowStatus._fields) if key in there else None
        row = None if rows is None else read_row_status(rows)
        status, known = (None, None) if row is None else (row.status, row.input_fingerprint)
        found.rows.append([prompt.prompt_id, status, known])
        kind = _kind(status, is_current=known == steps.fingerprints(prompt)[-1])
        found.counts[kind] += 1
        if kind != Status.DONE:
            found.keys.add(key)
    return found


def _kind(status: str | None, *, is_current: bool) -> str:
    if status is None or status == Status.WITHDRAWN:  # a prompt that has come back
        return MISSING
    if status == Status.FAILED:
        return Status.FAILED
    return status if is_current else STALE


def search_ranges(order: Sequence[str], wanted: Collection[str], chunk_size: int, scope: Scope) -> list[list[str]]:
    """Return the runs of a search in which each of the wanted keys is, as ranges of `order`."""
    if scope is Scope.GLOBAL_BATCH:  # a generation needs the one before of all prompts
        return [list(order)] if wanted else []
    return range_runs(order, wanted, chunk_size)


def range_runs(
    order: Sequence[str], wanted: Collection[str], chunk_size: int, gap: int = WORTH_A_RUN
) -> list[list[str]]:
    """Return the wanted keys as runs over ranges of `order`, each the keys from the first to the last of its range.

    A range holds at most `chunk_size` keys; fewer than `gap` unwanted ones in a row are passed through.
    """
    runs: list[tuple[int, int]] = []
    for place in (place for place, key in enumerate(order) if key in wanted):
        if runs and place - runs[-1][1] <= gap and place - runs[-1][0] < chunk_size:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return [list(order[first : last + 1]) for first, last in runs]
