"""Prompts as a dataset file holds them, before any check."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

LABELS = ("rank", "quality")
"""Keys of a candidate's metadata that say how good it is."""


class Note(NamedTuple):
    """A warning; of many notes of one kind only a few are shown."""

    kind: str
    message: str


@dataclass(frozen=True)
class RawPrompt:
    """What a file holds about one prompt, unchecked."""

    field_prefix: str
    """How the location of each field begins: `prompts[3].` or `line 7: `."""
    fields: object
    """The prompt's fields by name, or whatever stands in their place."""
    candidate_prefixes: tuple[str, ...] | None = None
    """How the locations of each candidate's fields begin, if each candidate has a row of its own."""
    faults: tuple[str, ...] = ()
    """What was wrong before the fields could be checked."""


@dataclass(frozen=True)
class RawDataset:
    """The raw prompts of a file, which can be iterated once, and notes on what was not read of the file."""

    prompts: Iterable[RawPrompt]
    notes: tuple[Note, ...] = ()
