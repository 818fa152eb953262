"""Divides the pending prompts of a search into partition ranges; each range is one run."""

from collections.abc import Collection, Sequence

from autosr_lib.search.settings import Scope

MAX_GAP = 5
"""Largest number of consecutive up-to-date prompts in a range; for more of them, starting another run is cheaper."""


def search_ranges(order: Sequence[str], pending: Collection[str], chunk_size: int, scope: Scope) -> list[list[str]]:
    """Return the partition ranges of a search's runs.

    In scope `global_batch` there is at most one: a generation needs the previous generation of all prompts.

    Args:
        order: all partition keys, in Dagster's order.
        pending: keys of the prompts to search.
        chunk_size: largest number of prompts in a run.
        scope: scope of the search.

    >>> search_ranges("abc", {"b"}, 10, Scope.PROMPT_LOCAL), search_ranges("abc", {"b"}, 10, Scope.GLOBAL_BATCH)
    ([['b']], [['a', 'b', 'c']])
    """
    if scope is Scope.GLOBAL_BATCH:
        return [list(order)] if pending else []
    return partition_ranges(order, pending, chunk_size)


def partition_ranges(
    order: Sequence[str], pending: Collection[str], chunk_size: int, max_gap: int = MAX_GAP
) -> list[list[str]]:
    """Return ranges of `order` that cover all pending keys.

    A range holds at most `chunk_size` keys, with at most `max_gap` consecutive keys that are not pending.

    >>> partition_ranges("abcdefgh", {"a", "c", "h"}, chunk_size=10, max_gap=2)
    [['a', 'b', 'c'], ['h']]
    """
    ranges: list[tuple[int, int]] = []
    for position in (position for position, key in enumerate(order) if key in pending):
        if ranges and position - ranges[-1][1] <= max_gap and position - ranges[-1][0] < chunk_size:
            ranges[-1] = (ranges[-1][0], position)
        else:
            ranges.append((position, position))
    return [list(order[first : last + 1]) for first, last in ranges]
