"""Stores a dataset's file in its table. Prompts that were removed from the file are kept as withdrawn."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from upath import UPath

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import DatasetError
from autosr_lib.evaluation.responses import MIN_CANDIDATES
from autosr_lib.storage.dataset_settings import DatasetSettings
from autosr_lib.storage.datasets import DatasetFindings, DatasetReader, file_sha256
from autosr_lib.storage.files import is_storage_error
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.prompts import PROMPTS, prompt_batches, read_prompt_ids, read_stored_prompts

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
"""The checkout; in an installed wheel, the folder of packages."""
PREVIEWED_PROMPTS = 5
"""Prompts in the preview of a stored dataset."""

_SOURCE_FIELDS = (b"autosr.path", b"autosr.sha256", b"autosr.is_whole")


class DatasetSource(NamedTuple):
    """The file that a stored dataset was read from; stored beside its rows."""

    path: str
    sha256: str
    is_strict: str
    """`True` if faulty prompts were an error, `False` if they were left out. Arrow's metadata is text."""

    @classmethod
    def of_file(cls, path: str, *, skip_invalid: bool) -> "DatasetSource | None":
        """Return the source of a file, or None if the file cannot be read."""
        try:
            return cls(absolute_dataset_path(path), file_sha256(dataset_path(path)), str(not skip_invalid))
        except Exception as error:
            if isinstance(error, ValueError) or is_storage_error(error):
                return None
            raise

    @classmethod
    def of_stored(cls, store: TableStore, table: TableName) -> "DatasetSource | None":
        """Return the source of the stored dataset, or None if nothing is stored."""
        rows = store.read(table, columns=["prompt_id"])
        if rows is None:
            return None
        metadata = rows.schema.metadata or {}
        return cls(*(metadata.get(name, b"").decode() for name in _SOURCE_FIELDS))

    def in_schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema with this source in its metadata."""
        values = {
            name: value.encode("utf-8", "surrogateescape") for name, value in zip(_SOURCE_FIELDS, self, strict=True)
        }
        return schema.with_metadata({**(schema.metadata or {}), **values})


def dataset_path(path: str) -> str | UPath:
    """Return the path of a dataset's file; a relative one is searched in the working directory, then in the project."""
    location = UPath(path)
    if isinstance(location, Path) and not location.is_absolute() and not location.exists():
        in_project = PROJECT_FOLDER / os.fspath(location)
        return str(in_project) if in_project.exists() else path
    return path


def absolute_dataset_path(path: str) -> str:
    """Return the absolute path of a dataset's file, or its address in an object store."""
    location = UPath(dataset_path(path))
    return str(location.resolve()) if isinstance(location, Path) else str(location)


def dataset_reader(settings: DatasetSettings) -> DatasetReader:
    """Return the reader of a dataset's file."""
    return DatasetReader(
        dataset_path(settings.path), skip_invalid=settings.skip_invalid, min_candidates=min_candidates(settings)
    )


def min_candidates(settings: DatasetSettings) -> int:
    """Return how many candidates each prompt of the file must have: none if a pool of models samples them."""
    return 0 if settings.responses.samples else MIN_CANDIDATES


@dataclass
class DatasetSummary:
    """What `store_dataset` stored."""

    findings: DatasetFindings
    path: str
    keys: list[str] = field(default_factory=list)
    """Partition keys of the prompts of the file, in its order."""
    preview: list[Prompt] = field(default_factory=list)
    """The first prompts."""
    withdrawn: int = 0
    """Stored prompts that are no longer in the file."""


def store_dataset(settings: DatasetSettings, store: TableStore, table: TableName) -> DatasetSummary:
    """Store the prompts of a file, followed by the stored prompts that are no longer in it.

    The prompts are streamed, a few hundred in memory at a time. A table with the same content is not rewritten.

    Raises:
        DatasetError: the file cannot be used; names every fault. The stored table is then left as it is.
    """
    reader = dataset_reader(settings)
    source = DatasetSource.of_file(settings.path, skip_invalid=settings.skip_invalid)
    summary = DatasetSummary(reader.findings, reader.path)

    def present_prompts() -> Iterator[Prompt]:
        for prompt in reader:
            summary.keys.append(partition_key(prompt.prompt_id))
            if len(summary.preview) < PREVIEWED_PROMPTS:
                summary.preview.append(prompt)
            yield prompt
        summary.findings = reader.findings
        if source is None or source.sha256 != reader.findings.sha256:
            raise DatasetError(reader.path, ["was written to while it was read; try again once it is complete"])

    def withdrawn_prompts() -> Iterator[Prompt]:
        ids = withdrawn_ids(store, table, set(summary.keys))
        summary.withdrawn = len(ids)
        for rows in store.read_where(table, "prompt_id", ids) if ids else ():
            yield from (prompt for prompt, _ in read_stored_prompts(rows))

    batches = prompt_batches(present_prompts(), withdrawn_prompts())
    schema = PROMPTS if source is None else source.in_schema(PROMPTS)
    store.write(table, None, pa.RecordBatchReader.from_batches(schema, batches))
    return summary


def withdrawn_ids(store: TableStore, table: TableName, present_keys: Collection[str]) -> list[str]:
    """Return the ids of the stored prompts whose partition keys are not among `present_keys`, in the stored order."""
    rows = store.read(table, columns=["prompt_id"])
    ids = [] if rows is None else read_prompt_ids(rows)
    return [prompt_id for prompt_id in ids if partition_key(prompt_id) not in present_keys]
