"""From the bytes of a dataset file to raw prompts: JSON, JSON Lines, CSV and Parquet.

Nothing is judged here but whether the bytes are of their format; `dataset_checks` judges the content. A fault that
spoils one prompt travels with it; one that spoils the file is raised.
"""

import csv
import io
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autosr_lib.errors import DatasetError
from autosr_lib.storage.dataset_rows import FlatRow, RawDataset, RawPrompt, column_faults, group_rows
from autosr_lib.storage.strict_json import (
    JsonError,
    key_place,
    one_line,
    parse_json,
    repeated_key_faults,
    shown,
    value_faults,
)

CONTENT_FAULT = 'give a list of prompts, or {"prompts": [...]}'


def read_raw(data: bytes, suffix: str, where: str, *, needs_candidates: bool = True) -> RawDataset:
    """Return the raw prompts in `data`, a file of the format that `suffix` names."""
    if suffix not in READERS:
        problem = f"the suffix {suffix} is not a dataset's" if suffix else "its name has no suffix"
        raise DatasetError(where, [f"{problem}; allowed are {', '.join(READERS)}"])
    if not data:
        raise DatasetError(where, ["the file is empty"])
    if suffix in FLAT_READERS:
        return FLAT_READERS[suffix](data, where, needs_candidates)
    return READERS[suffix](data, where)


def _read_json(data: bytes, where: str) -> RawDataset:
    text = _decode(data, where)
    try:
        content = parse_json(text)
    except JsonError as fault:
        place = f"line {fault.line} column {fault.column}: " if fault.line else ""
        hint = "one prompt a line is a .jsonl file" if fault.problem == "Extra data" else "not JSON, or cut short"
        raise DatasetError(where, [f"{place}{fault.problem}; {hint}"]) from None
    return raw_prompts(content, where)


def raw_prompts(content: object, where: str) -> RawDataset:
    """Return the raw prompts of `content`, a list of prompts or a mapping with one under `prompts`."""
    notes: list[tuple[str, str]] = []
    if isinstance(content, Mapping):
        others = {key: value for key, value in content.items() if key != "prompts"}
        faults = repeated_key_faults("the file", content)
        faults += [fault for key, value in others.items() for fault in value_faults(key_place("", key)[1:], value)]
        if "prompts" not in content:
            faults.append(f"prompts: is missing; {CONTENT_FAULT}")
        if faults:
            raise DatasetError(where, faults)
        notes = [(f"file key {key}", f"{key_place('', key)[1:]}: unknown key, not read") for key in others]
        content = content["prompts"]
    if not isinstance(content, list | tuple):
        raise DatasetError(where, [f"prompts: {shown(content)} is not a list; {CONTENT_FAULT}"])
    return RawDataset(tuple(RawPrompt(f"prompts[{i}].", fields) for i, fields in enumerate(content)), tuple(notes))


def _read_json_lines(data: bytes, where: str) -> RawDataset:
    prompts: list[RawPrompt] = []
    # Only \n ends a line: U+2028 and its like are allowed inside JSON strings, and str.splitlines would cut there.
    for number, line in enumerate(_decode(data, where).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"line {number}: "
        try:
            fields = parse_json(line)
            is_list = isinstance(fields, list)
            faults = (f"{place}{shown(fields)} is not a prompt; a list of prompts is a .json file",) if is_list else ()
            prompts.append(RawPrompt(place, fields, faults=faults))
        except JsonError as fault:
            column = f"column {fault.column}: " if fault.line else ""
            prompts.append(RawPrompt(place, None, faults=(f"{place}{column}{fault.problem}; not JSON, or cut short",)))
    return RawDataset(tuple(prompts))


def _read_csv(data: bytes, where: str, needs_candidates: bool = True) -> RawDataset:
    text = _decode(data, where)
    # The limit belongs to the process; it is only ever raised, so that concurrent readers cannot hurt each other.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    rows: list[FlatRow] = []
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if header is None:
                header = cells
                _check_columns(header, where, needs_candidates)
            elif cells:
                rows.append(_csv_row(f"row {number}: ", header, cells))
    except csv.Error as error:
        place = f"row {number + 1} (line {reader.line_num})"
        raise DatasetError(
            where, [f"{place}: {error}; a quote is missing or stray, or the file is cut short"]
        ) from None
    nameless = [f"column {i + 1}: has no name, not read" for i, name in enumerate(header or ()) if not name]
    return RawDataset(group_rows(rows, needs_candidates), tuple((note, note) for note in nameless))


def _csv_row(place: str, header: list[str], cells: list[str]) -> FlatRow:
    faults = [f"{place}column {i + 1}: holds a NUL byte" for i, cell in enumerate(cells) if "\0" in cell]
    if len(cells) != len(header):
        faults.append(f"{place}has {len(cells)} cells, the header has {len(header)}; quote cells that hold commas")
    named = {name: cell or None for name, cell in zip(header, cells, strict=False) if name}
    if "text" in named:
        named["text"] = named["text"] or ""  # an empty response is a response; any other empty cell is absent
    return FlatRow(place, named, tuple(faults), is_text=True)


def _check_columns(names: list[str], where: str, needs_candidates: bool) -> None:
    if faults := column_faults(names, needs_candidates):
        raise DatasetError(where, faults)


def _read_parquet(data: bytes, where: str, needs_candidates: bool = True) -> RawDataset:
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read()
        names = [str(name) for name in table.column_names]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise DatasetError(where, [f"the columns {repeated} repeat; keep one of each"])
        rows = [_plain(row) for row in table.to_pylist(maps_as_pydicts="strict")]
    except (pa.ArrowException, OSError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        raise DatasetError(
            where, [f"cannot be read as Parquet: {one_line(error)}; corrupt, cut short or encrypted"]
        ) from None
    if "candidates" in names:
        return RawDataset(tuple(RawPrompt(f"row {i}: ", row) for i, row in enumerate(rows, start=1)))
    _check_columns(names, where, needs_candidates)
    return RawDataset(group_rows([FlatRow(f"row {i}: ", row) for i, row in enumerate(rows, start=1)], needs_candidates))


def _plain(value: Any) -> Any:
    # A struct has all its fields in every row, so null is how Parquet says "absent"; decimals are how SQL writes 0.91.
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items() if item is not None}
        case list():
            return [_plain(item) for item in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case _:
            return value


def _decode(data: bytes, where: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:2]:
        raise DatasetError(where, ["the file is UTF-16 or UTF-32; save it as UTF-8"])
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = data[start:].decode()
    except UnicodeDecodeError as error:
        byte, offset = error.object[error.start], start + error.start
        raise DatasetError(where, [f"byte {offset}: 0x{byte:02x} is not valid UTF-8; save the file as UTF-8"]) from None
    if not text.strip():
        raise DatasetError(where, ["the file is empty"])
    return text


READERS: Mapping[str, Callable[[bytes, str], RawDataset]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
"""How each suffix is read."""
FLAT_READERS: Mapping[str, Callable[[bytes, str, bool], RawDataset]] = {".csv": _read_csv, ".parquet": _read_parquet}
"""Those that may have a row a candidate; they are told whether every row has to."""
