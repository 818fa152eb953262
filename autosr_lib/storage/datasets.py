"""Dataset files, read into prompts: everything is checked before any work starts."""

import hashlib
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from pydantic import BaseModel, ConfigDict
from upath import UPath

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import DatasetError
from autosr_lib.storage.dataset_checks import CheckedPrompt, check_prompts
from autosr_lib.storage.dataset_formats import READERS, raw_prompts, read_raw
from autosr_lib.storage.dataset_rows import RawDataset
from autosr_lib.storage.places import is_fault_of_storage, place
from autosr_lib.storage.strict_json import one_line

WARNINGS_OF_A_KIND = 3
"""Warnings of one kind that are spelled out; the rest are counted."""


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
    """Return the dataset in a file, local or in an object store; its suffix names the format.

    Raises one `DatasetError` with every fault of the file. With `skip_invalid` a faulty prompt is dropped and reported
    instead; a file that cannot be read at all, or in which no prompt is left, is an error all the same.
    """
    where = str(path)
    data, suffix = _read_bytes(path, where)
    return _dataset(
        read_raw(data, suffix, where, needs_candidates=min_candidates > 0),
        hashlib.sha256(data).hexdigest(),
        where,
        skip_invalid,
        min_candidates,
    )


def dataset_from_records(
    records: Sequence[object], where: str = "records", *, skip_invalid: bool = False, min_candidates: int = 2
) -> Dataset:
    """Return the dataset of `records`, prompts as in a JSON file; `where` names them in messages."""
    dataset = _dataset(raw_prompts(records, where), "", where, skip_invalid, min_candidates)
    names = "\n".join(prompt.fingerprint for prompt in dataset.prompts)
    return dataset.model_copy(update={"sha256": hashlib.sha256(names.encode()).hexdigest()})


def _read_bytes(path: str | UPath, where: str) -> tuple[bytes, str]:
    try:
        return _content(place(path), where)
    except DatasetError:
        raise
    except Exception as error:
        # Besides a file system's own, UPath names an unknown protocol by a ValueError.
        if not (isinstance(error, ValueError) or is_fault_of_storage(error)):
            raise
        raise DatasetError(where, [f"cannot be read: {one_line(error)}"]) from error


def _content(file: UPath, where: str) -> tuple[bytes, str]:
    allowed = ", ".join(READERS)
    if not file.exists():
        raise DatasetError(where, [f"there is no such file; give the path of a dataset ({allowed})"])
    if file.is_dir():
        raise DatasetError(where, [f"this is a folder; give the path of one file in it ({allowed})"])
    suffix = file.suffix.lower()
    # The suffix is checked first, so that a wrong path does not download something huge.
    return (file.read_bytes() if suffix in READERS else b""), suffix


def _dataset(raw: RawDataset, sha256: str, where: str, skip_invalid: bool, min_candidates: int) -> Dataset:
    checked = check_prompts(raw.prompts, min_candidates)
    if not checked:
        raise DatasetError(where, ["holds no prompts; give at least one"])
    faults = tuple(fault for item in checked for fault in item.faults)
    prompts = tuple(item.prompt for item in checked if item.prompt is not None)
    if faults and not (skip_invalid and prompts):
        raise DatasetError(where, faults)
    return Dataset(
        prompts=prompts,
        sha256=sha256,
        path=where,
        faults=faults,
        rejected=tuple(item.place for item in checked if item.prompt is None),
        warnings=_warnings(raw, checked),
    )


def _warnings(raw: RawDataset, checked: Sequence[CheckedPrompt]) -> tuple[str, ...]:
    """Return the notes, of each kind the first few and the number of the others."""
    notes = [*raw.notes, *(note for item in checked for note in item.notes)]
    warnings: list[str] = []
    for kind, of_kind in groupby(sorted(notes, key=itemgetter(0)), key=itemgetter(0)):
        sentences = [sentence for _, sentence in of_kind]
        warnings += sentences[:WARNINGS_OF_A_KIND]
        if (more := len(sentences) - WARNINGS_OF_A_KIND) > 0:
            warnings.append(f"{kind}: {more} more")
    return tuple(warnings)
