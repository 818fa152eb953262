"""From the bytes of a dataset file to raw prompts: JSON, JSON Lines, CSV and Parquet.

All but JSON are read one prompt after the other, so a file may be much larger than memory; rows of a prompt that are
not neighbours in a flat file wait for each other. Nothing is judged here but whether the bytes are of their format; `dataset_checks` judges the content. A fault that
spoils one prompt travels with it; one that spoils the file is raised.
"""

import csv
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from autosr_lib.errors import DatasetError
from autosr_lib.storage.dataset_rows import FlatRow, RawDataset, RawPrompt, column_faults, group_rows, rows_left
from autosr_lib.storage.strict_json import (
    JsonError,
    key_place,
    one_line,
    parse_json,
    repeated_key_faults,
    shown,
    value_faults,
)

_ROWS_AT_ONCE = 256
CONTENT_FAULT = 'give a list of prompts, or {"prompts": [...]}'


def read_raw(file: BinaryIO, suffix: str, where: str, *, needs_candidates: bool = True) -> RawDataset:
    """Return the raw prompts of an open file of the format that `suffix` names; they are read as they are asked for."""
    if suffix not in READERS:
        problem = f"the suffix {suffix} is not a dataset's" if suffix else "its name has no suffix"
        raise DatasetError(where, [f"{problem}; allowed are {', '.join(READERS)}"])
    if not size_of(file):
        raise DatasetError(where, ["the file is empty"])
    if suffix in FLAT_READERS:
        return FLAT_READERS[suffix](file, where, needs_candidates)
    return READERS[suffix](file, where)


def size_of(file: BinaryIO) -> int:
    """Return how many bytes an open file has, and leave it at its first."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _read_json(file: BinaryIO, where: str) -> RawDataset:
    # Whole: its end decides whether it is JSON at all. JSON Lines are for files beyond a share of memory.
    text = "".join(_texts(file, where))
    if not text.strip():
        raise DatasetError(where, ["the file is empty"])
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
    return RawDataset((RawPrompt(f"prompts[{i}].", fields) for i, fields in enumerate(content)), tuple(notes))


def _read_json_lines(file: BinaryIO, where: str) -> RawDataset:
    return RawDataset(_prompts_of_lines(file, where))


def _prompts_of_lines(file: BinaryIO, where: str) -> Iterator[RawPrompt]:
    is_blank = True
    # Only \n ends a line: U+2028 and its like are allowed inside JSON strings, and str.splitlines would cut there.
    for number, text in enumerate(_texts(file, where), start=1):
        line = text.removesuffix("\n")
        if not line.strip():
            continue
        is_blank = False
        place = f"line {number}: "
        try:
            fields = parse_json(line)
            is_list = isinstance(fields, list)
            faults = (f"{place}{shown(fields)} is not a prompt; a list of prompts is a .json file",) if is_list else ()
            yield RawPrompt(place, fields, faults=faults)
        except JsonError as fault:
            column = f"column {fault.column}: " if fault.line else ""
            yield RawPrompt(place, None, faults=(f"{place}{column}{fault.problem}; not JSON, or cut short",))
    if is_blank:
        raise DatasetError(where, ["the file is empty"])


def _read_csv(file: BinaryIO, where: str, needs_candidates: bool = True) -> RawDataset:
    # The limit belongs to the process; it is only ever raised, so that concurrent readers cannot hurt each other.
    csv.field_size_limit(max(csv.field_size_limit(), size_of(file) + 1))
    if not sum(not text.isspace() for text in _texts(file, where)):  # to the end, for its encoding
        raise DatasetError(where, ["the file is empty"])
    header: list[str] = []

    def rows() -> Iterator[FlatRow]:
        return _csv_rows(file, where, header, needs_candidates)

    left = rows_left(rows())
    nameless = [f"column {i + 1}: has no name, not read" for i, name in enumerate(header) if not name]
    return RawDataset(group_rows(rows(), left, needs_candidates), tuple((note, note) for note in nameless))


def _csv_rows(file: BinaryIO, where: str, header: list[str], needs_candidates: bool) -> Iterator[FlatRow]:
    """Yield the rows of a file from its start, after putting the names of its columns into `header`."""
    file.seek(_start(file))
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    reader = csv.reader(text, strict=True)
    header.clear()
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if number == 1:
                header += cells
                _check_columns(header, where, needs_candidates)
            elif cells:
                yield _csv_row(f"row {number}: ", header, cells)
    except csv.Error as error:
        place = f"row {number + 1} (line {reader.line_num})"
        raise DatasetError(
            where, [f"{place}: {error}; a quote is missing or stray, or the file is cut short"]
        ) from None
    finally:
        if not file.closed:  # by whoever opened it, when its prompts are not read to the end
            text.detach()  # so that it stays open: it is read more than once


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


def _read_parquet(file: BinaryIO, where: str, needs_candidates: bool = True) -> RawDataset:
    with _parquet(where):
        names = [str(name) for name in pq.ParquetFile(file).schema_arrow.names]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(where, [f"the columns {repeated} repeat; keep one of each"])
    if "candidates" in names:
        return RawDataset(RawPrompt(f"row {i}: ", row) for i, row in enumerate(_parquet_rows(file, where), start=1))
    _check_columns(names, where, needs_candidates)

    def rows(columns: list[str] | None = None) -> Iterator[FlatRow]:
        return (FlatRow(f"row {i}: ", row) for i, row in enumerate(_parquet_rows(file, where, columns), start=1))

    return RawDataset(group_rows(rows(), rows_left(rows(["prompt_id"])), needs_candidates))


def _parquet_rows(file: BinaryIO, where: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    with _parquet(where):
        for batch in pq.ParquetFile(file).iter_batches(_ROWS_AT_ONCE, columns=columns, use_threads=False):
            rows = [_plain(row) for row in batch.to_pylist(maps_as_pydicts="strict")]
            del batch
            yield from rows


@contextmanager
def _parquet(where: str) -> Iterator[None]:
    """Say what Arrow could not read."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        raise DatasetError(
            where, [f"cannot be read as Parquet: {one_line(error)}; corrupt, cut short or encrypted"]
        ) from None


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


def _start(file: BinaryIO) -> int:
    """Return where the text of a file begins: after the mark that some programs put before UTF-8."""
    file.seek(0)
    return 3 if file.read(3) == b"\xef\xbb\xbf" else 0


def _texts(file: BinaryIO, where: str) -> Iterator[str]:
    """Yield the lines of a file from its start, as text.

    Raises:
        DatasetError: the file is not UTF-8.
    """
    offset = _start(file)
    file.seek(0)
    head = file.read(2)
    if head in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head:
        raise DatasetError(where, ["the file is UTF-16 or UTF-32; save it as UTF-8"])
    file.seek(offset)
    for line in file:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            byte, at = error.object[error.start], offset + error.start
            raise DatasetError(where, [f"byte {at}: 0x{byte:02x} is not valid UTF-8; save the file as UTF-8"]) from None
        offset += len(line)
        yield text


READERS: Mapping[str, Callable[[BinaryIO, str], RawDataset]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
"""How each suffix is read."""
FLAT_READERS: Mapping[str, Callable[[BinaryIO, str, bool], RawDataset]] = {".csv": _read_csv, ".parquet": _read_parquet}
"""Those that may have a row a candidate; they are told whether every row has to."""
