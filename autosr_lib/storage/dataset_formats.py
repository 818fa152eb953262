"""Raw prompts from the bytes of a dataset file: JSON, JSON Lines, CSV or Parquet.

All formats but JSON are read one prompt after the other, so that a file may be much larger than memory. In a flat file,
prompts wait in memory until all their rows are read. Only the format is checked here; `dataset_checks` checks the
content. A fault that affects one prompt is returned with the prompt; a fault that affects the file is raised.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO

from autosr_lib.errors import DatasetError
from autosr_lib.storage.flat_rows import FlatRow, count_prompt_rows, find_column_faults, group_rows
from autosr_lib.storage.raw_prompts import Note, RawDataset, RawPrompt
from autosr_lib.storage.row_formats import (
    CsvFile,
    file_size,
    parquet_columns,
    parquet_errors,
    read_json_lines,
    read_parquet_rows,
    read_text_lines,
)
from autosr_lib.storage.strict_json import (
    JsonError,
    find_repeated_keys,
    find_value_faults,
    key_location,
    parse_json,
    preview,
)

_EXPECTED_CONTENT = 'give a list of prompts, or {"prompts": [...]}'
_EMPTY_FILE = "the file is empty"


def read_raw_dataset(file: BinaryIO, suffix: str, where: str, *, needs_candidates: bool = True) -> RawDataset:
    """Return the raw prompts of an open file; they are read while they are iterated.

    Args:
        file: The open file.
        suffix: Names its format, for example `.csv`.
        where: Its name in messages.
        needs_candidates: Whether a row of a flat file must hold a candidate.

    Raises:
        DatasetError: The file as a whole cannot be read.
    """
    if suffix not in _READERS:
        problem = f"the suffix {suffix} is not a dataset's" if suffix else "its name has no suffix"
        raise DatasetError(where, [f"{problem}; allowed are {', '.join(DATASET_SUFFIXES)}"])
    if not file_size(file):
        raise DatasetError(where, [_EMPTY_FILE])
    return _READERS[suffix](file, where, needs_candidates)


def _raw_dataset_of_json(content: object, where: str) -> RawDataset:
    """Return the raw prompts of a JSON value: a list of prompts, or a mapping with such a list under `prompts`.

    Raises:
        DatasetError: It is neither.
    """
    notes: list[Note] = []
    if isinstance(content, Mapping):
        unknown = {key: value for key, value in content.items() if key != "prompts"}
        faults = find_repeated_keys("the file", content)
        faults += [fault for key, value in unknown.items() for fault in find_value_faults(_file_key(key), value)]
        if "prompts" not in content:
            faults.append(f"prompts: is missing; {_EXPECTED_CONTENT}")
        if faults:
            raise DatasetError(where, faults)
        notes = [Note(f"file key {key}", f"{_file_key(key)}: unknown key, not read") for key in unknown]
        content = content["prompts"]
    if not isinstance(content, list | tuple):
        raise DatasetError(where, [f"prompts: {preview(content)} is not a list; {_EXPECTED_CONTENT}"])
    return RawDataset((RawPrompt(f"prompts[{i}].", fields) for i, fields in enumerate(content)), tuple(notes))


def _file_key(key: object) -> str:
    """Return the location of a key of the file's top-level mapping."""
    return key_location("", key)[1:]


def _read_json(file: BinaryIO, where: str, _needs_candidates: bool) -> RawDataset:
    # Read completely, because only its end shows whether it is JSON. Larger files should be JSON Lines.
    text = "".join(read_text_lines(file, where))
    if not text.strip():
        raise DatasetError(where, [_EMPTY_FILE])
    try:
        content = parse_json(text)
    except JsonError as error:
        location = f"line {error.line} column {error.column}: " if error.line else ""
        hint = "one prompt a line is a .jsonl file" if error.problem == "Extra data" else "not JSON, or cut short"
        raise DatasetError(where, [f"{location}{error.problem}; {hint}"]) from None
    return _raw_dataset_of_json(content, where)


def _read_json_lines(file: BinaryIO, where: str, _needs_candidates: bool) -> RawDataset:
    return RawDataset(_prompts_of_lines(file, where))


def _prompts_of_lines(file: BinaryIO, where: str) -> Iterator[RawPrompt]:
    is_blank = True
    for line in read_json_lines(file, where):
        is_blank = False
        prefix, fault = f"{line.location}: ", line.fault
        if isinstance(line.value, list):
            fault = f"{prefix}{preview(line.value)} is not a prompt; a list of prompts is a .json file"
        yield RawPrompt(prefix, line.value, faults=(fault,) if fault else ())
    if is_blank:
        raise DatasetError(where, [_EMPTY_FILE])


def _read_csv(file: BinaryIO, where: str, needs_candidates: bool) -> RawDataset:
    table = CsvFile(file, where)
    if table.is_blank:
        raise DatasetError(where, [_EMPTY_FILE])
    _check_columns(table.columns, where, needs_candidates)
    nameless = [f"column {i + 1}: has no name, not read" for i, name in enumerate(table.columns) if not name]
    row_counts = count_prompt_rows(_csv_rows(table))
    prompts = group_rows(_csv_rows(table), row_counts, needs_candidates)
    return RawDataset(prompts, tuple(Note(message, message) for message in nameless))


def _csv_rows(table: CsvFile) -> Iterator[FlatRow]:
    for row in table.rows():
        prefix = f"{row.location}: "
        faults = [f"{prefix}column {i + 1}: contains a NUL byte" for i, cell in enumerate(row.cells) if "\0" in cell]
        if row.fault:
            faults.append(row.fault)
        cells = {name: cell or None for name, cell in zip(table.columns, row.cells, strict=False) if name}
        if "text" in cells:
            cells["text"] = cells["text"] or ""  # an empty response is valid; any other empty cell is absent
        yield FlatRow(prefix, cells, tuple(faults), is_text=True)


def _read_parquet(file: BinaryIO, where: str, needs_candidates: bool) -> RawDataset:
    columns = parquet_columns(file, where)
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise DatasetError(where, [f"the columns {repeated} repeat; keep one of each"])
    if "candidates" in columns:
        rows = _parquet_rows(file, where)
        return RawDataset(RawPrompt(f"row {number}: ", row) for number, row in enumerate(rows, start=1))
    _check_columns(columns, where, needs_candidates)

    row_counts = count_prompt_rows(_flat_parquet_rows(file, where, ["prompt_id"]))
    return RawDataset(group_rows(_flat_parquet_rows(file, where), row_counts, needs_candidates))


def _flat_parquet_rows(file: BinaryIO, where: str, columns: list[str] | None = None) -> Iterator[FlatRow]:
    for number, row in enumerate(_parquet_rows(file, where, columns), start=1):
        yield FlatRow(f"row {number}: ", row)


def _parquet_rows(file: BinaryIO, where: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    with parquet_errors(where):
        for row in read_parquet_rows(file, where, columns, maps_as_dicts=True):
            yield _without_nulls(row)


def _check_columns(columns: list[str], where: str, needs_candidates: bool) -> None:
    if faults := find_column_faults(columns, needs_candidates):
        raise DatasetError(where, faults)


def _without_nulls(value: Any) -> Any:
    """Return a Parquet value as JSON would have it: without null fields, and with plain numbers for decimals."""
    # A struct has all its fields in every row, so null means "absent". SQL engines write 0.91 as a decimal.
    match value:
        case dict():
            return {key: _without_nulls(item) for key, item in value.items() if item is not None}
        case list():
            return [_without_nulls(item) for item in value]
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case _:
            return value


_READERS: Mapping[str, Callable[[BinaryIO, str, bool], RawDataset]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
DATASET_SUFFIXES = tuple(_READERS)
"""The suffixes of the formats that a dataset may have."""
