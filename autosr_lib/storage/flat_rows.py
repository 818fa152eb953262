"""Rows of one candidate each, as flat CSV and Parquet files have them, grouped into raw prompts."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from autosr_lib.storage.raw_prompts import LABELS, RawPrompt
from autosr_lib.storage.strict_json import preview

_PROMPT_FIELDS = ("prompt_id", "prompt")
_CANDIDATE_FIELDS = ("candidate_id", "text", "source")
_REQUIRED_COLUMNS = ("prompt_id", "prompt", "candidate_id", "text")
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_LONGEST_INTEGER = 18
"""Digits of an integer that certainly fits 64 bits; longer ones are read as floats."""


class _Field(NamedTuple):
    """The field that a column or a key of a metadata struct fills."""

    level: Literal["prompt", "prompt_metadata", "candidate", "metadata"]
    name: str


@dataclass(frozen=True)
class FlatRow:
    """One candidate together with the fields of its prompt."""

    field_prefix: str
    """How the location of each field begins, for example `row 7: `."""
    cells: Mapping[str, Any]
    """The values by column; None means that the cell is absent."""
    faults: tuple[str, ...] = ()
    """Why the row cannot be read."""
    is_text: bool = False
    """Whether all cells are text, so that the labels have to be converted to numbers."""


@dataclass
class _PromptRows:
    """A prompt that is being assembled from its rows."""

    field_prefix: str
    fields: dict[_Field, Any] = field(default_factory=dict)
    locations: dict[_Field, str] = field(default_factory=dict)
    """The row that gave each field first."""
    candidates: list[dict[str, Any]] = field(default_factory=list)
    candidate_prefixes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_complete: bool = False

    def raw_prompt(self) -> RawPrompt:
        """Return the assembled prompt, or only its faults if all its rows are faulty."""
        if not self.fields:
            return RawPrompt(self.field_prefix, None, faults=tuple(self.faults))
        fields: dict[str, Any] = {key.name: value for key, value in self.fields.items() if key.level == "prompt"}
        metadata = {key.name: value for key, value in self.fields.items() if key.level == "prompt_metadata"}
        fields |= {"metadata": metadata, "candidates": self.candidates}
        return RawPrompt(self.field_prefix, fields, tuple(self.candidate_prefixes), tuple(self.faults))


def find_column_faults(columns: Sequence[str], needs_candidates: bool = True) -> list[str]:
    """Return the faults of a flat file's columns.

    >>> find_column_faults(["prompt_id", "prompt", "text"])
    ['column candidate_id: is missing; a row needs prompt_id, prompt, candidate_id, text']
    """
    required = _REQUIRED_COLUMNS if needs_candidates or {"candidate_id", "text"} & set(columns) else _PROMPT_FIELDS
    missing = [name for name in required if name not in columns]
    faults = [f"column {name}: is missing; a row needs {', '.join(required)}" for name in missing]
    if len(missing) == len(required):
        hint = ", separated by commas" if len(columns) == 1 else ""
        faults = [f"the columns {preview(', '.join(columns))} are not a dataset's; give {', '.join(required)}{hint}"]
    first_columns: dict[_Field, str] = {}
    for column in filter(None, columns):
        if (target := _field_of(column)) in first_columns:
            first = preview(first_columns[target])
            faults.append(f"column {preview(column)}: fills the same field as the column {first}; keep one")
        elif not target.name:
            faults.append(f"column {preview(column)}: has no name after the dot")
        first_columns.setdefault(target, column)
    return faults


def count_prompt_rows(rows: Iterable[FlatRow]) -> Counter[str]:
    """Return the number of rows of each prompt.

    >>> count_prompt_rows([FlatRow("row 2: ", {"prompt_id": "p1"}), FlatRow("row 3: ", {"prompt_id": "p1"})])
    Counter({'p1': 2})
    """
    return Counter(prompt_id for row in rows if (prompt_id := _prompt_id(row)))


def group_rows(rows: Iterable[FlatRow], row_counts: Counter[str], needs_candidates: bool = True) -> Iterator[RawPrompt]:
    """Yield the prompts of `rows` in the order of their first rows; a prompt's rows need not be adjacent.

    Only incomplete prompts and those queued behind them are in memory.

    Args:
        rows: The rows of a file.
        row_counts: The number of rows of each prompt, from `count_prompt_rows`; tells when a prompt is complete. The
            counts are decremented.
        needs_candidates: Whether each row must hold a candidate. If not, a row without the id and the text of a
            candidate describes only its prompt.

    >>> rows = [FlatRow(f"row {i}: ", {"prompt_id": name, "text": "Hi"}) for i, name in enumerate(["p2", "p1", "p2"])]
    >>> [(prompt.fields["prompt_id"], len(prompt.fields["candidates"])) for prompt in group_rows(rows, count_prompt_rows(rows))]
    [('p2', 2), ('p1', 1)]
    """
    incomplete: dict[str, _PromptRows] = {}
    queue = deque[_PromptRows | RawPrompt]()
    for row in rows:
        prompt_id = _prompt_id(row)
        if prompt_id is None:
            queue.append(_prompt_without_id(row))
        else:
            if (prompt_rows := incomplete.get(prompt_id)) is None:
                prompt_rows = incomplete[prompt_id] = _PromptRows(row.field_prefix)
                queue.append(prompt_rows)
            _add_row(prompt_rows, row, needs_candidates)
            row_counts[prompt_id] -= 1
            if not row_counts[prompt_id]:
                incomplete.pop(prompt_id).is_complete = True
        while queue and (isinstance(queue[0], RawPrompt) or queue[0].is_complete):
            first = queue.popleft()
            yield first.raw_prompt() if isinstance(first, _PromptRows) else first


def _prompt_id(row: FlatRow) -> str | None:
    value = row.cells.get("prompt_id")
    return value if isinstance(value, str) and value else None


def _prompt_without_id(row: FlatRow) -> RawPrompt:
    value = row.cells.get("prompt_id")
    problem = "is missing" if value is None else f"{preview(value)} is not a non-empty text"
    fault = f"{row.field_prefix}prompt_id: {problem}; give the id"
    return RawPrompt(row.field_prefix, None, faults=(*row.faults, fault))


def _add_row(prompt_rows: _PromptRows, row: FlatRow, needs_candidates: bool) -> None:
    if row.faults:
        prompt_rows.faults += row.faults
        return
    candidate: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for target, value in _field_values(prompt_rows, row):
        if target.level == "candidate":
            candidate[target.name] = value
        elif target.level == "metadata":
            metadata[target.name] = _number(value) if row.is_text and target.name in LABELS else value
        elif prompt_rows.fields.setdefault(target, value) != value:
            first = f"{preview(prompt_rows.fields[target])} in {prompt_rows.locations[target]}"
            name = target.name if target.level == "prompt" else f"prompt_metadata.{target.name}"
            prompt_rows.faults.append(
                f"{row.field_prefix}{name}: {preview(value)} is not {first}; rows of a prompt must agree"
            )
        else:
            prompt_rows.locations.setdefault(target, row.field_prefix.rstrip(": "))
    if not needs_candidates and not (candidate.get("candidate_id") or candidate.get("text")):
        return
    prompt_rows.candidates.append(candidate | {"metadata": metadata})
    prompt_rows.candidate_prefixes.append(row.field_prefix)


def _field_values(prompt_rows: _PromptRows, row: FlatRow) -> list[tuple[_Field, Any]]:
    """Return the field and value of each present cell of `row`; a struct of metadata gives a field for each key."""
    values: dict[_Field, Any] = {}
    for column, value in row.cells.items():
        if value is None:
            continue
        if column not in ("metadata", "prompt_metadata"):
            cell_values = {_field_of(column): value}
        elif isinstance(value, Mapping):
            cell_values = {_field_of(f"{column}.{key}"): item for key, item in value.items()}
        else:
            prompt_rows.faults.append(
                f"{row.field_prefix}{column}: {preview(value)} is not a mapping; use columns such as {column}.note"
            )
            continue
        for target, item in cell_values.items():
            if target in values:
                prompt_rows.faults.append(
                    f"{row.field_prefix}{column}: gives {preview(target.name)} a second time; keep one"
                )
            values[target] = item
    return list(values.items())


@lru_cache(maxsize=1024)  # called for each cell
def _field_of(column: str) -> _Field:
    if column in _PROMPT_FIELDS:
        return _Field("prompt", column)
    if column in _CANDIDATE_FIELDS:
        return _Field("candidate", column)
    if column.startswith("prompt_metadata."):
        return _Field("prompt_metadata", column.removeprefix("prompt_metadata."))
    return _Field("metadata", column.removeprefix("metadata."))


def _number(text: str) -> int | float | str:
    """Return the number that `text` is, or `text` itself, which the check of labels then reports."""
    if not _NUMBER.fullmatch(text):
        return text
    digits = text.strip().lstrip("+-")
    return int(text) if digits.isdecimal() and len(digits) <= _LONGEST_INTEGER else float(text)
