"""Dataset files read into prompts, with every fault of the file and its location."""

import hashlib
import io
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict
from upath import UPath

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import DatasetError
from autosr_lib.storage.dataset_checks import check_prompts
from autosr_lib.storage.dataset_formats import DATASET_SUFFIXES, read_raw_dataset
from autosr_lib.storage.files import is_storage_error, storage_path
from autosr_lib.storage.raw_prompts import Note, RawDataset
from autosr_lib.storage.strict_json import printable_message

_WARNINGS_PER_KIND = 3
"""Warnings of one kind that are shown; the others are counted."""
_HASH_BLOCK = 1 << 20
"""Bytes of a file that are hashed at once."""


@dataclass
class DatasetFindings:
    """Findings about a dataset that was read: counts, faults and warnings, but not its texts.

    It is complete once all prompts have been read.
    """

    prompts: int = 0
    """Number of prompts without faults."""
    candidates: int = 0
    """Number of their candidates."""
    fewest_candidates: int = 0
    """Smallest number of candidates of a prompt."""
    most_candidates: int = 0
    """Largest number of candidates of a prompt."""
    sources: set[str] = field(default_factory=set)
    """The sources of all candidates."""
    sha256: str = ""
    """SHA-256 of the file's bytes."""
    faults: list[str] = field(default_factory=list)
    """Why prompts were rejected."""
    rejected: list[str] = field(default_factory=list)
    """The locations of the rejected prompts."""
    warnings: list[str] = field(default_factory=list)
    """What was not used, or looks like a mistake, in the other prompts."""

    def add(self, prompt: Prompt) -> None:
        """Count a prompt without faults."""
        count = len(prompt.candidates)
        self.fewest_candidates = min(self.fewest_candidates, count) if self.prompts else count
        self.most_candidates = max(self.most_candidates, count)
        self.prompts += 1
        self.candidates += count
        self.sources.update(candidate.source for candidate in prompt.candidates if candidate.source)


class DatasetReader:
    """The prompts of a dataset file, read one after the other.

    Each iteration reads the file anew; `findings` belongs to the latest one. If the file has faults, the iteration ends
    with one `DatasetError` that lists all of them. With `skip_invalid`, faulty prompts are left out and reported in
    `findings` instead; a file that cannot be read, or has no valid prompt, is still an error.

    Args:
        path: A local path, or an address in an object store. The suffix names the format.
        skip_invalid: Whether faulty prompts are left out.
        min_candidates: The number of candidates that a prompt must have.
    """

    def __init__(self, path: str | UPath, *, skip_invalid: bool = False, min_candidates: int = 2) -> None:
        self.path = str(path)
        """The file, as the caller gave it."""
        self.skip_invalid = skip_invalid
        self.min_candidates = min_candidates
        self.findings = DatasetFindings()
        self._file = path

    def __iter__(self) -> Iterator[Prompt]:
        with _opened(self._file, self.path) as (file, suffix):
            self.findings = findings = DatasetFindings()
            raw = read_raw_dataset(file, suffix, self.path, needs_candidates=self.min_candidates > 0)
            yield from _valid_prompts(raw, self.path, self.skip_invalid, self.min_candidates, findings)
            file.seek(0)
            findings.sha256 = _sha256(file)


class Dataset(BaseModel):
    """All prompts of a file in its order, and what was found wrong with the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompts: tuple[Prompt, ...]
    """The prompts without faults."""
    sha256: str
    """SHA-256 of the file's bytes."""
    path: str
    """The file, as the caller gave it."""
    faults: tuple[str, ...] = ()
    """Why prompts were rejected; only with `skip_invalid`."""
    rejected: tuple[str, ...] = ()
    """The locations of the rejected prompts."""
    warnings: tuple[str, ...] = ()
    """What was not used, or looks like a mistake, in the other prompts."""


def read_dataset(path: str | UPath, *, skip_invalid: bool = False, min_candidates: int = 2) -> Dataset:
    """Return the dataset in a file, with all its prompts in memory; see `DatasetReader`, which reads them as a stream.

    Raises:
        DatasetError: The file cannot be used; lists every fault.
    """
    reader = DatasetReader(path, skip_invalid=skip_invalid, min_candidates=min_candidates)
    prompts, findings = tuple(reader), reader.findings
    return Dataset(
        prompts=prompts,
        sha256=findings.sha256,
        path=reader.path,
        faults=tuple(findings.faults),
        rejected=tuple(findings.rejected),
        warnings=tuple(findings.warnings),
    )


def file_sha256(path: str | UPath) -> str:
    """Return the SHA-256 hash of a file's bytes as hex digits, without reading the complete file into memory."""
    with storage_path(path).open("rb") as file:
        return _sha256(file)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_HASH_BLOCK):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def _opened(path: str | UPath, where: str) -> Iterator[tuple[BinaryIO, str]]:
    """Yield the open file and its suffix; a file in an object store is first copied to a local one.

    Raises:
        DatasetError: The file cannot be read.
    """
    try:
        file, suffix = _open(storage_path(path), where)
    except DatasetError:
        raise
    except Exception as error:
        # UPath raises ValueError for an unknown protocol.
        if not (isinstance(error, ValueError) or is_storage_error(error)):
            raise
        raise DatasetError(where, [f"cannot be read: {printable_message(error)}"]) from error
    try:
        with file:
            yield file, suffix
    except OSError as error:
        raise DatasetError(where, [f"cannot be read: {printable_message(error)}"]) from error


def _open(path: UPath, where: str) -> tuple[BinaryIO, str]:
    allowed = ", ".join(DATASET_SUFFIXES)
    if not path.exists():
        raise DatasetError(where, [f"there is no such file; give the path of a dataset ({allowed})"])
    if path.is_dir():
        raise DatasetError(where, [f"this is a folder; give the path of one file in it ({allowed})"])
    suffix = path.suffix.lower()
    if suffix not in DATASET_SUFFIXES:  # `read_raw_dataset` reports it; do not download a huge file before that
        return io.BytesIO(), suffix
    if isinstance(path, Path):
        return path.open("rb"), suffix
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with path.open("rb") as stream:
        shutil.copyfileobj(stream, copy)
    return copy, suffix


def _valid_prompts(
    raw: RawDataset, where: str, skip_invalid: bool, min_candidates: int, findings: DatasetFindings
) -> Iterator[Prompt]:
    """Yield the prompts without faults, and record what is found about all prompts in `findings`."""
    count, warnings = 0, _Warnings()
    warnings.add(raw.notes)
    for checked in check_prompts(raw.prompts, min_candidates):
        count += 1
        findings.faults += checked.faults
        warnings.add(checked.notes)
        if checked.prompt is None:
            findings.rejected.append(checked.location)
            continue
        findings.add(checked.prompt)
        if skip_invalid or not findings.faults:  # after a fault, the rest of the file is read only for its faults
            yield checked.prompt
    if not count:
        raise DatasetError(where, ["holds no prompts; give at least one"])
    if findings.faults and not (skip_invalid and findings.prompts):
        raise DatasetError(where, findings.faults)
    findings.warnings = warnings.messages()


class _Warnings:
    """The first few notes of each kind, and the number of the others."""

    def __init__(self) -> None:
        self._first_messages: dict[str, list[str]] = {}
        self._counts = Counter[str]()

    def add(self, notes: Iterable[Note]) -> None:
        for kind, message in notes:
            self._counts[kind] += 1
            if self._counts[kind] <= _WARNINGS_PER_KIND:
                self._first_messages.setdefault(kind, []).append(message)

    def messages(self) -> list[str]:
        messages: list[str] = []
        for kind in sorted(self._first_messages):
            messages += self._first_messages[kind]
            if (more := self._counts[kind] - _WARNINGS_PER_KIND) > 0:
                messages.append(f"{kind}: {more} more")
        return messages
