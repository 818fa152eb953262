"""Raw prompts, and how rows of one candidate each (flat CSV and Parquet) become them."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from autosr_lib.storage.strict_json import shown

PROMPT_FIELDS = ("prompt_id", "prompt")
CANDIDATE_FIELDS = ("candidate_id", "text", "source")
REQUIRED_COLUMNS = ("prompt_id", "prompt", "candidate_id", "text")
LABELS = ("rank", "quality")
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

Level = Literal["prompt", "prompt_metadata", "candidate", "metadata"]


@dataclass(frozen=True)
class RawPrompt:
    """What a file holds about one prompt, unchecked.

    `place` opens the place of each of its fields (`prompts[3].`, `line 7: `); `candidate_places` does so for candidates
    that have rows of their own. `faults` were found on the way here.
    """

    place: str
    fields: object
    candidate_places: tuple[str, ...] | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawDataset:
    """The raw prompts of a file, to be read once, and (kind, sentence) notes on what was not read of it."""

    prompts: Iterable[RawPrompt]
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class FlatRow:
    """One candidate with its prompt's fields, by column; None is an absent cell.

    `is_text` says that every cell is text, and so that the labels are numbers yet to be read.
    """

    place: str
    cells: Mapping[str, Any]
    faults: tuple[str, ...] = ()
    is_text: bool = False


@dataclass
class _Group:
    """The prompt that is being put together from its rows."""

    place: str
    fields: dict[tuple[Level, str], Any] = field(default_factory=dict)
    said_at: dict[tuple[Level, str], str] = field(default_factory=dict)
    candidates: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_whole: bool = False

    def raw(self) -> RawPrompt:
        """Return what was gathered; the faults alone where every row has one."""
        if not self.fields:
            return RawPrompt(self.place, None, faults=tuple(self.faults))
        fields: dict[str, Any] = {key: value for (level, key), value in self.fields.items() if level == "prompt"}
        metadata = {key: value for (level, key), value in self.fields.items() if level == "prompt_metadata"}
        fields |= {"metadata": metadata, "candidates": self.candidates}
        return RawPrompt(self.place, fields, tuple(self.places), tuple(self.faults))


def column_faults(names: Sequence[str], needs_candidates: bool = True) -> list[str]:
    """Return what is wrong with the columns of a flat file."""
    required = REQUIRED_COLUMNS if needs_candidates or {"candidate_id", "text"} & set(names) else PROMPT_FIELDS
    missing = [name for name in required if name not in names]
    faults = [f"column {name}: is missing; a row needs {', '.join(required)}" for name in missing]
    if len(missing) == len(required):
        hint = ", separated by commas" if len(names) == 1 else ""
        faults = [f"the columns {shown(', '.join(names))} are not a dataset's; give {', '.join(required)}{hint}"]
    first: dict[tuple[Level, str], str] = {}
    for name in filter(None, names):
        if (target := _target(name)) in first:
            faults.append(f"column {shown(name)}: says the same as the column {shown(first[target])}; keep one")
        elif not target[1]:
            faults.append(f"column {shown(name)}: names nothing after the dot")
        first.setdefault(target, name)
    return faults


def rows_left(rows: Iterable[FlatRow]) -> Counter[str]:
    """Return how many rows each prompt has, for `group_rows` to know when it has seen them all."""
    return Counter(name for row in rows if (name := _prompt_id(row)))


def group_rows(rows: Iterable[FlatRow], left: Counter[str], needs_candidates: bool = True) -> Iterator[RawPrompt]:
    """Yield the prompts of `rows` in the order of their first rows; a prompt's rows need not be neighbours.

    Only prompts that are not whole yet are kept, and those behind them. Where candidates are not needed, a row without
    the id and the text of one is a prompt's alone.
    """
    begun: dict[str, _Group] = {}
    waiting = deque[_Group | RawPrompt]()
    for row in rows:
        name = _prompt_id(row)
        if name is None:
            value = row.cells.get("prompt_id")
            problem = "is missing" if value is None else f"{shown(value)} is not a non-empty text"
            fault = f"{row.place}prompt_id: {problem}; give the id"
            waiting.append(RawPrompt(row.place, None, faults=(*row.faults, fault)))
        else:
            if (group := begun.get(name)) is None:
                group = begun[name] = _Group(row.place)
                waiting.append(group)
            _add(group, row, needs_candidates)
            left[name] -= 1
            if not left[name]:
                begun.pop(name).is_whole = True
        while waiting and (isinstance(waiting[0], RawPrompt) or waiting[0].is_whole):
            item = waiting.popleft()
            yield item.raw() if isinstance(item, _Group) else item


def _prompt_id(row: FlatRow) -> str | None:
    value = row.cells.get("prompt_id")
    return value if isinstance(value, str) and value else None


def _add(group: _Group, row: FlatRow, needs_candidates: bool) -> None:
    if row.faults:
        group.faults += row.faults
        return
    candidate: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for (level, key), value in _targets(group, row):
        if level == "candidate":
            candidate[key] = value
        elif level == "metadata":
            metadata[key] = _number(value) if row.is_text and key in LABELS else value
        elif group.fields.setdefault((level, key), value) != value:
            said = f"{shown(group.fields[level, key])} in {group.said_at[level, key]}"
            name = key if level == "prompt" else f"prompt_metadata.{key}"
            group.faults.append(f"{row.place}{name}: {shown(value)} is not {said}; rows of a prompt must agree")
        else:
            group.said_at.setdefault((level, key), row.place.rstrip(": "))
    if not needs_candidates and not (candidate.get("candidate_id") or candidate.get("text")):
        return
    group.candidates.append(candidate | {"metadata": metadata})
    group.places.append(row.place)


def _targets(group: _Group, row: FlatRow) -> list[tuple[tuple[Level, str], Any]]:
    """Return where each present cell of `row` belongs; a struct of metadata is spread out."""
    targets: dict[tuple[Level, str], Any] = {}
    for name, value in row.cells.items():
        if value is None:
            continue
        if name not in ("metadata", "prompt_metadata"):
            found = {_target(name): value}
        elif isinstance(value, Mapping):
            found = {_target(f"{name}.{key}"): item for key, item in value.items()}
        else:
            group.faults.append(f"{row.place}{name}: {shown(value)} is not a mapping; use columns such as {name}.note")
            continue
        for (level, key), item in found.items():
            if (level, key) in targets:
                group.faults.append(f"{row.place}{name}: says {shown(key)} a second time; keep one")
            targets[level, key] = item
    return list(targets.items())


def _target(column: str) -> tuple[Level, str]:
    if column in PROMPT_FIELDS:
        return "prompt", column
    if column in CANDIDATE_FIELDS:
        return "candidate", column
    if column.startswith("prompt_metadata."):
        return "prompt_metadata", column.removeprefix("prompt_metadata.")
    return "metadata", column.removeprefix("metadata.")


def _number(text: str) -> int | float | str:
    """Return the number that `text` is, or `text` itself for the check to name."""
    if not NUMBER.fullmatch(text):
        return text
    digits = text.strip().lstrip("+-")
    return int(text) if digits.isdecimal() and len(digits) <= 18 else float(text)
