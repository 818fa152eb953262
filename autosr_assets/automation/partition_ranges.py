"""Pending prompts as partition ranges: the runs of a search."""

from collections.abc import Collection, Sequence

from autosr_lib.search.settings import Scope

WORTH_A_RUN = 5
"""Consecutive up-to-date prompts from which on another run is cheaper than passing them through."""


def search_ranges(order: Sequence[str], wanted: Collection[str], chunk_size: int, scope: Scope) -> list[list[str]]:
    """Return the runs of a search that cover the wanted keys, as ranges of `order`."""
    if scope is Scope.GLOBAL_BATCH:  # a generation needs the previous one of all prompts
        return [list(order)] if wanted else []
    return partition_ranges(order, wanted, chunk_size)


def partition_ranges(
    order: Sequence[str], wanted: Collection[str], chunk_size: int, gap: int = WORTH_A_RUN
) -> list[list[str]]:
    """Return the wanted keys as ranges of `order`, each with all keys from its first to its last.

    A range holds at most `chunk_size` keys, and passes through at most `gap` consecutive unwanted ones.

    >>> partition_ranges("abcdefgh", {"a", "c", "h"}, chunk_size=10, gap=2)
    [['a', 'b', 'c'], ['h']]
    """
    ranges: list[tuple[int, int]] = []
    for position in (position for position, key in enumerate(order) if key in wanted):
        if ranges and position - ranges[-1][1] <= gap and position - ranges[-1][0] < chunk_size:
            ranges[-1] = (ranges[-1][0], position)
        else:
            ranges.append((position, position))
    return [list(order[first : last + 1]) for first, last in ranges]
