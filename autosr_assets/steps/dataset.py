"""What the asset `dataset` does: read the file, register its prompts as partitions, keep those that have left."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
from upath import UPath

from autosr_assets.graph_names import prompts_of
from autosr_assets.home import CHECKOUT
from autosr_assets.views.metadata import table
from autosr_assets.views.rubric_text import cell
from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import DatasetError
from autosr_lib.evaluation.responses import FEWEST_CANDIDATES
from autosr_lib.storage.dataset_settings import DatasetSettings
from autosr_lib.storage.datasets import Contents, DatasetReader, file_sha256
from autosr_lib.storage.files import is_storage_error
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables.prompts import PROMPTS, prompt_batches, read_prompts

REGISTERED_AT_ONCE = 20_000
"""Dagster takes at most 25,000 partition keys in one request."""
PREVIEWED = 5


class Origin(NamedTuple):
    """The file that a stored dataset was read from; kept with it."""

    path: str
    sha256: str
    is_whole: str
    """Whether faulty prompts were an error (`True`), or dropped."""

    @classmethod
    def of_file(cls, path: str, *, skip_invalid: bool) -> "Origin | None":
        """Return the origin that the file would give, or None when it cannot be read."""
        try:
            return cls(full_path(path), file_sha256(dataset_path(path)), str(not skip_invalid))
        except Exception as error:
            if isinstance(error, ValueError) or is_storage_error(error):
                return None
            raise

    @classmethod
    def of_stored(cls, store: TableStore, table: str) -> "Origin | None":
        """Return the origin of what is stored, or None when nothing is."""
        rows = store.read(table, columns=["prompt_id"])
        if rows is None:
            return None
        known = rows.schema.metadata or {}
        return cls(*(known.get(name, b"").decode() for name in _ORIGIN))

    def marked(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of a table that has its origin beside its rows."""
        mark = {name: value.encode("utf-8", "surrogateescape") for name, value in zip(_ORIGIN, self, strict=True)}
        return schema.with_metadata({**(schema.metadata or {}), **mark})


_ORIGIN = (b"autosr.path", b"autosr.sha256", b"autosr.is_whole")


def dataset_path(path: str) -> str | UPath:
    """Return where a dataset's file is: a relative path is looked for in the working folder, then in the project's."""
    known = UPath(path)
    if isinstance(known, Path) and not known.is_absolute() and not known.exists():
        beside = CHECKOUT / os.fspath(known)
        return str(beside) if beside.exists() else path
    return path


def full_path(path: str) -> str:
    """Return the one name of a dataset's file, from whatever folder it was given."""
    place = UPath(dataset_path(path))
    return str(place.resolve()) if isinstance(place, Path) else str(place)


def register_prompts(instance: dg.DagsterInstance, name: str, keys: Sequence[str]) -> None:
    """Register the prompts of a dataset, by their keys in its order, as partitions."""
    partitions = prompts_of(name).name
    assert partitions is not None  # noqa: S101 - a dynamic definition of ours always has a name
    for start in range(0, len(keys), REGISTERED_AT_ONCE):
        instance.add_dynamic_partitions(partitions, keys[start : start + REGISTERED_AT_ONCE])


def reader_of(settings: DatasetSettings) -> DatasetReader:
    """Return the reader of a dataset's file; with a pool of models its prompts need no candidates."""
    fewest = fewest_candidates(settings)
    return DatasetReader(dataset_path(settings.path), skip_invalid=settings.skip_invalid, min_candidates=fewest)


def fewest_candidates(settings: DatasetSettings) -> int:
    """Return how many candidates a prompt needs in the file: none where a pool of models answers it."""
    return 0 if settings.responses.samples else FEWEST_CANDIDATES


@dataclass
class StoredDataset:
    """What a dataset's table was made from."""

    contents: Contents
    path: str
    keys: list[str] = field(default_factory=list)
    """Partition keys of the prompts of the file, in its order."""
    first: list[Prompt] = field(default_factory=list)
    withdrawn: int = 0
    """Prompts that were stored and are not in the file any more."""


def store_dataset(settings: DatasetSettings, store: TableStore, table: str) -> StoredDataset:
    """Store the prompts of a file, and after them those that were stored and are not in it any more.

    They go through memory a few hundred at a time; a table that would be the same stays as it is.

    Raises:
        DatasetError: the file cannot be used; names every fault. What was stored stays.
    """
    reader = reader_of(settings)
    origin = Origin.of_file(settings.path, skip_invalid=settings.skip_invalid)
    found = StoredDataset(reader.contents, reader.path)

    def prompts() -> Iterator[Prompt]:
        for prompt in reader:
            found.keys.append(partition_key(prompt.prompt_id))
            if len(found.first) < PREVIEWED:
                found.first.append(prompt)
            yield prompt
        found.contents = reader.contents
        if origin is None or origin.sha256 != reader.contents.sha256:
            raise DatasetError(reader.path, ["was written to while it was read; try again once it is whole"])

    def gone() -> Iterator[Prompt]:
        names = withdrawn_ids(store, table, set(found.keys))
        found.withdrawn = len(names)
        for rows in store.read_where(table, "prompt_id", names) if names else ():
            yield from (prompt for prompt, _ in read_prompts(rows))

    batches = prompt_batches(prompts(), gone())
    schema = PROMPTS if origin is None else origin.marked(PROMPTS)
    store.write(table, None, pa.RecordBatchReader.from_batches(schema, batches))
    return found


def withdrawn_ids(store: TableStore, table: str, present: Collection[str]) -> list[str]:
    """Return the stored prompts whose partition keys are not among those `present` in the file, in the stored order."""
    known = store.read(table, columns=["prompt_id"])
    names = [] if known is None else known["prompt_id"].to_pylist()
    return [name for name in names if partition_key(name) not in present]


def dataset_metadata(stored: StoredDataset) -> dict[str, Any]:
    """Return what the asset publishes."""
    found = stored.contents
    columns = {
        "prompt": "Id of the prompt.",
        "candidates": "How many responses it has.",
        "text": "How the task begins.",
    }
    preview: list[dict[str, str | int]] = [
        {
            "prompt": prompt.prompt_id,
            "candidates": len(prompt.candidates),
            "text": shorten(prompt.prompt, 120, placeholder=" …"),
        }
        for prompt in stored.first
    ]
    return {
        "dagster/row_count": found.prompts + stored.withdrawn,
        "prompts": found.prompts,
        "candidates": found.candidates,
        "candidates_per_prompt": f"{found.fewest} to {found.most}",
        "sources": ", ".join(sorted(found.sources)[:20]) or "not given",
        "withdrawn": stored.withdrawn,
        "rejected": len(found.rejected),
        "sha256": found.sha256,
        "path": dg.MetadataValue.path(stored.path),
        "faults": dg.MetadataValue.md(_listing(found.faults)),
        "warnings": dg.MetadataValue.md(_listing(found.warnings)),
        "preview": table(columns, preview),
    }


def _listing(lines: Sequence[str], shown: int = 20) -> str:
    if not lines:
        return "none"
    more = [f"- and {len(lines) - shown} more"] if len(lines) > shown else []
    return "\n".join([*(f"- {cell(line, 200)}" for line in lines[:shown]), *more])
