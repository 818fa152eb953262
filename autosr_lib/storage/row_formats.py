"""Readers of the formats that have rows: JSON Lines, CSV and Parquet.

Each reads an open file row by row, so that a file may be much larger than memory. Datasets and files of responses are
read by the same functions. `where` is how messages name the file.
"""

import csv
import io
import os
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from autosr_lib.domain.wording import plural
from autosr_lib.errors import DatasetError
from autosr_lib.storage.strict_json import JsonError, parse_json, printable_message

_PARQUET_BATCH = 256
"""Rows of a Parquet file that are decoded at once."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Some programs write this mark at the start of a UTF-8 file."""


class JsonLine(NamedTuple):
    """A line of a JSON Lines file: its value, or the fault that makes it unreadable."""

    location: str
    value: object
    fault: str = ""


class CsvRow(NamedTuple):
    """A row of a CSV file: its cells, and a fault if there are more or fewer of them than columns."""

    location: str
    cells: list[str]
    fault: str = ""


def file_size(file: BinaryIO) -> int:
    """Return the number of bytes of an open file, and move to its start.

    >>> file_size(io.BytesIO(b"abc"))
    3
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def read_text_lines(file: BinaryIO, where: str) -> Iterator[str]:
    r"""Yield the lines of a UTF-8 file from its start, without its byte order mark; `where` names it in messages.

    Only `\n` ends a line: U+2028 and the like may occur inside JSON strings, and `str.splitlines` would split there.

    Raises:
        DatasetError: The file is not UTF-8; names the first invalid byte.

    >>> list(read_text_lines(io.BytesIO(b"\xef\xbb\xbfone\ntwo"), "file"))
    ['one\n', 'two']
    """
    offset = _text_start(file)
    file.seek(0)
    head = file.read(2)
    if head in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head:
        raise DatasetError(where, ["the file is UTF-16 or UTF-32; save it as UTF-8"])
    file.seek(offset)
    for line in file:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            byte, position = error.object[error.start], offset + error.start
            raise DatasetError(
                where, [f"byte {position}: 0x{byte:02x} is not valid UTF-8; save the file as UTF-8"]
            ) from None
        offset += len(line)
        yield text


def read_json_lines(file: BinaryIO, where: str) -> Iterator[JsonLine]:
    r"""Yield the lines of a JSON Lines file, without blank ones.

    Raises:
        DatasetError: The file is not UTF-8.

    >>> [(line.location, line.value) for line in read_json_lines(io.BytesIO(b'{"a": 1}\n\n[2]'), "file")]
    [('line 1', {'a': 1}), ('line 3', [2])]
    """
    for number, text in enumerate(read_text_lines(file, where), start=1):
        line = text.removesuffix("\n")
        if not line.strip():
            continue
        location = f"line {number}"
        try:
            yield JsonLine(location, parse_json(line))
        except JsonError as error:
            column = f"column {error.column}: " if error.line else ""
            yield JsonLine(location, None, f"{location}: {column}{error.problem}; not JSON, or cut short")


class CsvFile:
    """An open CSV file in UTF-8, whose rows can be read more than once.

    Raises:
        DatasetError: The file is not UTF-8, or its header is not CSV.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        # The limit is global to the process. It is only ever raised, so concurrent readers do not disturb each other.
        csv.field_size_limit(max(csv.field_size_limit(), file_size(file) + 1))
        self._file = file
        self._where = where
        # Every line is decoded here, because a decoding error inside the CSV parser does not tell the byte.
        self.is_blank = not sum(not line.isspace() for line in read_text_lines(file, where))
        """Whether the file contains nothing but white space."""
        with closing(self._numbered_rows()) as rows:
            self.columns = next(rows, (1, list[str]()))[1]
        """The names of the columns, as the header gives them."""

    def rows(self) -> Iterator[CsvRow]:
        """Yield the rows below the header, without blank ones.

        Raises:
            DatasetError: A quote is missing or stray; names the row.
        """
        for number, cells in self._numbered_rows():
            if number == 1 or not cells:
                continue
            location, fault = f"row {number}", ""
            if len(cells) != len(self.columns):
                counts = f"has {plural(len(cells), 'cell')}, the header has {len(self.columns)}"
                fault = f"{location}: {counts}; quote cells that contain commas"
            yield CsvRow(location, cells, fault)

    def _numbered_rows(self) -> Generator[tuple[int, list[str]]]:
        self._file.seek(_text_start(self._file))
        text = io.TextIOWrapper(self._file, encoding="utf-8", newline="")
        reader = csv.reader(text, strict=True)
        number = 0
        try:
            for number, cells in enumerate(reader, start=1):
                yield number, cells
        except csv.Error as error:
            location = f"row {number + 1} (line {reader.line_num})"
            raise DatasetError(
                self._where, [f"{location}: {error}; a quote is missing or stray, or the file is cut short"]
            ) from None
        finally:
            if not self._file.closed:  # the caller closes it when it does not read all rows
                text.detach()  # keeps the file open, because it is read more than once


def parquet_columns(file: BinaryIO, where: str) -> list[str]:
    """Return the names of the columns of a Parquet file.

    Raises:
        DatasetError: The file is not Parquet.
    """
    with parquet_errors(where):
        return [str(name) for name in pq.ParquetFile(file).schema_arrow.names]


def read_parquet_rows(
    file: BinaryIO, where: str, columns: list[str] | None = None, *, maps_as_dicts: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file, 256 of which are in memory at once.

    Args:
        file: The open file.
        where: Its name in messages.
        columns: The columns to read, all by default.
        maps_as_dicts: Whether values of Arrow's map type become dicts instead of lists of pairs.

    Raises:
        DatasetError: The file is not Parquet, or a map repeats a key.
    """
    with parquet_errors(where):
        for batch in pq.ParquetFile(file).iter_batches(_PARQUET_BATCH, columns=columns, use_threads=False):
            rows = batch.to_pylist(maps_as_pydicts="strict" if maps_as_dicts else None)
            del batch
            yield from rows


@contextmanager
def parquet_errors(where: str) -> Iterator[None]:
    """Turn the errors of decoding an invalid Parquet file inside the block into a `DatasetError`.

    Raises:
        DatasetError: The block failed with such an error.
    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError) as error:
        raise DatasetError(
            where, [f"cannot be read as Parquet: {printable_message(error)}; corrupt, cut short or encrypted"]
        ) from None


def _text_start(file: BinaryIO) -> int:
    """Return the offset of the first byte after the byte order mark, if there is one."""
    file.seek(0)
    return len(_BYTE_ORDER_MARK) if file.read(len(_BYTE_ORDER_MARK)) == _BYTE_ORDER_MARK else 0
