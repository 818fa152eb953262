"""What one step of a run hands to the next in memory, so that nothing is read back that was written a moment ago.

A run has all its steps in one process (our jobs run there), and a value here is what the tables would give back. It is
only a shortcut: what is not here, after a crash, in another process or beyond the room there is, is read.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.state import State

ROOM = 64 * 2**20
"""Bytes of rows, as Arrow has them, that a run hands over; with the values made of them it is some five times as much.

A prompt of eight candidates has about 50 KiB of rows after a few generations, and a state of 180 KiB.
"""


class Population(NamedTuple):
    """The rows of a prompt's population, and the state that they hold, if it is known."""

    rows: pa.Table
    state: State | None


class Prepared(NamedTuple):
    """A prompt made ready for a search, and whether its preferences are whole."""

    prepared: PreparedPrompt
    is_whole: bool


@dataclass
class Handover:
    """Values by name, as long as there is room; what finds none is not kept, and is read again."""

    room: int = ROOM

    def __post_init__(self) -> None:
        self._kept: dict[Hashable, tuple[Any, int]] = {}

    def keep(self, name: Hashable, value: Any, size: int) -> None:
        """Keep a value whose rows take `size` bytes, in place of one of before."""
        self.take(name)
        if size <= self.room:
            self.room -= size
            self._kept[name] = value, size

    def look(self, name: Hashable) -> Any:
        """Return the value, or None."""
        return self._kept.get(name, (None, 0))[0]

    def take(self, name: Hashable) -> Any:
        """Return the value, or None, and make room for others."""
        value, size = self._kept.pop(name, (None, 0))
        self.room += size
        return value
