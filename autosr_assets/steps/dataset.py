"""What the asset `dataset` does: read the file, register its prompts as partitions, keep those that have left."""

import hashlib
import os
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import dagster as dg
import pyarrow as pa
from upath import UPath

from autosr_assets.graph_names import prompts_of
from autosr_assets.home import CHECKOUT
from autosr_assets.partition_keys import partition_key
from autosr_assets.views.metadata import cell, table
from autosr_lib.evaluation.responses import FEWEST_CANDIDATES
from autosr_lib.storage.dataset_settings import DatasetSettings
from autosr_lib.storage.datasets import Dataset, read_dataset
from autosr_lib.storage.places import is_fault_of_storage
from autosr_lib.storage.rows import dataset_table, read_prompt
from autosr_lib.storage.store import TableStore

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
        place = UPath(dataset_path(path))
        try:
            return cls(full_path(path), hashlib.sha256(place.read_bytes()).hexdigest(), str(not skip_invalid))
        except Exception as error:
            if isinstance(error, ValueError) or is_fault_of_storage(error):
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

    def marked(self, rows: pa.Table) -> pa.Table:
        """Return the rows with their origin beside them."""
        mark = {name: value.encode("utf-8", "surrogateescape") for name, value in zip(_ORIGIN, self, strict=True)}
        return rows.replace_schema_metadata({**(rows.schema.metadata or {}), **mark})


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


def register_prompts(instance: dg.DagsterInstance, name: str, dataset: Dataset) -> list[str]:
    """Register the prompts of a dataset as partitions and return their keys, in the order of the dataset."""
    keys = [partition_key(prompt.prompt_id) for prompt in dataset.prompts]
    partitions = prompts_of(name).name
    assert partitions is not None  # noqa: S101 - a dynamic definition of ours always has a name
    for start in range(0, len(keys), REGISTERED_AT_ONCE):
        instance.add_dynamic_partitions(partitions, keys[start : start + REGISTERED_AT_ONCE])
    return keys


def read_prompts_of(settings: DatasetSettings) -> Dataset:
    """Return the dataset of a file; with a pool of models its prompts need no candidates.

    Raises:
        DatasetError: the file cannot be used; names every fault.
    """
    fewest = fewest_candidates(settings)
    return read_dataset(dataset_path(settings.path), skip_invalid=settings.skip_invalid, min_candidates=fewest)


def fewest_candidates(settings: DatasetSettings) -> int:
    """Return how many candidates a prompt needs in the file: none where a pool of models answers it."""
    return 0 if settings.responses.samples else FEWEST_CANDIDATES


def read_all(settings: DatasetSettings, store: TableStore, table: str) -> tuple[Dataset, pa.Table]:
    """Return the dataset of a file, and its rows with those of the prompts that were stored and are not in it any more.

    Raises:
        DatasetError: the file cannot be used; names every fault.
    """
    dataset = read_prompts_of(settings)
    present = {prompt.prompt_id for prompt in dataset.prompts}
    known = store.read(table, columns=["prompt_id"])
    gone = [name for name in known["prompt_id"].to_pylist() if name not in present] if known is not None else []
    left = (row for rows in store.read_where(table, "prompt_id", gone) for row in rows.to_pylist()) if gone else ()
    rows = dataset_table(dataset.prompts, map(read_prompt, left))
    return dataset, Origin(full_path(settings.path), dataset.sha256, str(not settings.skip_invalid)).marked(rows)


def dataset_metadata(dataset: Dataset, withdrawn: int) -> dict[str, Any]:
    """Return what the asset publishes."""
    sizes = [len(prompt.candidates) for prompt in dataset.prompts]
    sources = sorted({candidate.source for prompt in dataset.prompts for candidate in prompt.candidates} - {""})
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
        for prompt in dataset.prompts[:PREVIEWED]
    ]
    return {
        "dagster/row_count": len(dataset.prompts) + withdrawn,
        "prompts": len(dataset.prompts),
        "candidates": sum(sizes),
        "candidates_per_prompt": f"{min(sizes)} to {max(sizes)}",
        "sources": ", ".join(sources[:20]) or "not given",
        "withdrawn": withdrawn,
        "rejected": len(dataset.rejected),
        "sha256": dataset.sha256,
        "path": dg.MetadataValue.path(dataset.path),
        "faults": dg.MetadataValue.md(_listing(dataset.faults)),
        "warnings": dg.MetadataValue.md(_listing(dataset.warnings)),
        "preview": table(columns, preview),
    }


def _listing(lines: tuple[str, ...], shown: int = 20) -> str:
    if not lines:
        return "none"
    more = [f"- and {len(lines) - shown} more"] if len(lines) > shown else []
    return "\n".join([*(f"- {cell(line, 200)}" for line in lines[:shown]), *more])
