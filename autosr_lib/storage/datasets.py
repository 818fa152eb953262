"""Dataset files, read into prompts: everything is checked, and every fault is told with its place."""

import hashlib
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict
from upath import UPath

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import DatasetError
from autosr_lib.storage.dataset_checks import check_prompts
from autosr_lib.storage.dataset_formats import READERS, raw_prompts, read_raw
from autosr_lib.storage.dataset_rows import RawDataset
from autosr_lib.storage.files import is_storage_error, storage_path
from autosr_lib.storage.strict_json import one_line

WARNINGS_OF_A_KIND = 3
"""Warnings of one kind that are spelled out; the rest are counted."""


@dataclass
class Contents:
    """What a dataset holds, without its texts; whole once all prompts have been read."""

    prompts: int = 0
    candidates: int = 0
    fewest: int = 0
    """Candidates of the prompt that has the fewest."""
    most: int = 0
    sources: set[str] = field(default_factory=set)
    sha256: str = ""
    """Hash of the file's bytes; of the prompts, if they came from memory."""
    faults: list[str] = field(default_factory=list)
    """What is wrong with the dropped prompts."""
    rejected: list[str] = field(default_factory=list)
    """The places of the dropped prompts."""
    warnings: list[str] = field(default_factory=list)
    """What was not used, or looks like a mistake, in the prompts that were kept."""

    def add(self, prompt: Prompt) -> None:
        """Count a prompt that is free of faults."""
        size = len(prompt.candidates)
        self.fewest = min(self.fewest, size) if self.prompts else size
        self.most = max(self.most, size)
        self.prompts += 1
        self.candidates += size
        self.sources.update(one.source for one in prompt.candidates if one.source)


class DatasetReader:
    """The prompts of a file, local or in an object store, one after the other; its suffix names the format.

    Each iteration reads the file anew, and `contents` says what the last one has found. It ends with one `DatasetError`
    with every fault of the file. With `skip_invalid` a faulty prompt is dropped and reported instead; a file that cannot
    be read at all, or in which no prompt is left, is an error all the same.
    """

    def __init__(self, path: str | UPath, *, skip_invalid: bool = False, min_candidates: int = 2) -> None:
        self.path = str(path)
        """The file, as it was named."""
        self.skip_invalid = skip_invalid
        self.min_candidates = min_candidates
        self.contents = Contents()
        self._place = path

    def __iter__(self) -> Iterator[Prompt]:
        with _opened(self._place, self.path) as (file, suffix):
            self.contents = contents = Contents()
            raw = read_raw(file, suffix, self.path, needs_candidates=self.min_candidates > 0)
            yield from _checked(raw, self.path, self.skip_invalid, self.min_candidates, contents)
            file.seek(0)
            contents.sha256 = _sha256(file)


class Dataset(BaseModel):
    """The prompts of a file, in its order, and what there is to say about the others."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompts: tuple[Prompt, ...]
    """The prompts that are free of faults."""
    sha256: str
    """Hash of the file's bytes; of the prompts, if they came from memory."""
    path: str
    """The file, as it was named."""
    faults: tuple[str, ...] = ()
    """What is wrong with the dropped prompts; only with `skip_invalid`."""
    rejected: tuple[str, ...] = ()
    """The places of the dropped prompts."""
    warnings: tuple[str, ...] = ()
    """What was not used, or looks like a mistake, in the prompts that were kept."""


def read_dataset(path: str | UPath, *, skip_invalid: bool = False, min_candidates: int = 2) -> Dataset:
    """Return the dataset in a file, with all its texts: for those that need all of them at once; see `DatasetReader`.

    Raises:
        DatasetError: the file cannot be used; names every fault.
    """
    reader = DatasetReader(path, skip_invalid=skip_invalid, min_candidates=min_candidates)
    return _dataset(tuple(reader), reader.contents, reader.path)


def dataset_from_records(
    records: Sequence[object], where: str = "records", *, skip_invalid: bool = False, min_candidates: int = 2
) -> Dataset:
    """Return the dataset of `records`, prompts as in a JSON file; `where` names them in messages."""
    contents = Contents()
    prompts = tuple(_checked(raw_prompts(records, where), where, skip_invalid, min_candidates, contents))
    names = "\n".join(prompt.fingerprint for prompt in prompts)
    contents.sha256 = hashlib.sha256(names.encode()).hexdigest()
    return _dataset(prompts, contents, where)


def _dataset(prompts: tuple[Prompt, ...], contents: Contents, where: str) -> Dataset:
    return Dataset(
        prompts=prompts,
        sha256=contents.sha256,
        path=where,
        faults=tuple(contents.faults),
        rejected=tuple(contents.rejected),
        warnings=tuple(contents.warnings),
    )


def file_sha256(path: str | UPath) -> str:
    """Return the hash of a file's bytes, which are never in memory as a whole."""
    with storage_path(path).open("rb") as file:
        return _sha256(file)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


@contextmanager
def _opened(path: str | UPath, where: str) -> Iterator[tuple[BinaryIO, str]]:
    """Give a dataset's file, open at its first byte, and its suffix; what lies in an object store is copied first."""
    try:
        opened = _open(storage_path(path), where)
    except DatasetError:
        raise
    except Exception as error:
        # Besides a file system's own, UPath names an unknown protocol by a ValueError.
        if not (isinstance(error, ValueError) or is_storage_error(error)):
            raise
        raise DatasetError(where, [f"cannot be read: {one_line(error)}"]) from error
    try:
        with opened[0]:
            yield opened
    except OSError as error:
        raise DatasetError(where, [f"cannot be read: {one_line(error)}"]) from error


def _open(file: UPath, where: str) -> tuple[BinaryIO, str]:
    allowed = ", ".join(READERS)
    if not file.exists():
        raise DatasetError(where, [f"there is no such file; give the path of a dataset ({allowed})"])
    if file.is_dir():
        raise DatasetError(where, [f"this is a folder; give the path of one file in it ({allowed})"])
    suffix = file.suffix.lower()
    if suffix not in READERS:  # said by `read_raw`, so that a wrong path does not download something huge
        return io.BytesIO(), suffix
    if isinstance(file, Path):
        return file.open("rb"), suffix
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who reads it
    with file.open("rb") as stream:
        shutil.copyfileobj(stream, copy)
    return copy, suffix


def _checked(
    raw: RawDataset, where: str, skip_invalid: bool, min_candidates: int, contents: Contents
) -> Iterator[Prompt]:
    """Yield the prompts that are free of faults, and note in `contents` what there is to say about all."""
    count, notes = 0, _Notes()
    notes.add(raw.notes)
    for item in check_prompts(raw.prompts, min_candidates):
        count += 1
        contents.faults += item.faults
        notes.add(item.notes)
        if item.prompt is None:
            contents.rejected.append(item.place)
            continue
        contents.add(item.prompt)
        if skip_invalid or not contents.faults:  # else it is the faults that are wanted, and nothing more
            yield item.prompt
    if not count:
        raise DatasetError(where, ["holds no prompts; give at least one"])
    if contents.faults and not (skip_invalid and contents.prompts):
        raise DatasetError(where, contents.faults)
    contents.warnings = notes.told()


class _Notes:
    """Notes by kind: the first few and the number of the others."""

    def __init__(self) -> None:
        self._first: dict[str, list[str]] = {}
        self._counts = Counter[str]()

    def add(self, notes: Iterable[tuple[str, str]]) -> None:
        for kind, sentence in notes:
            self._counts[kind] += 1
            if self._counts[kind] <= WARNINGS_OF_A_KIND:
                self._first.setdefault(kind, []).append(sentence)

    def told(self) -> list[str]:
        lines: list[str] = []
        for kind in sorted(self._first):
            lines += self._first[kind]
            if (more := self._counts[kind] - WARNINGS_OF_A_KIND) > 0:
                lines.append(f"{kind}: {more} more")
        return lines
