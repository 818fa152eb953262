"""The table `dataset`: one row is one prompt with its candidates."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import pyarrow as pa

from autosr_lib.domain.prompt import Prompt
from autosr_lib.storage.tables.columns import STRING, Columns, Status, field, list_of, read_flat
from autosr_lib.storage.tables.structs import (
    CANDIDATE,
    METADATA,
    candidate_columns,
    metadata_pairs,
    read_candidates,
    read_metadata,
)

PROMPTS = pa.schema(
    [
        field("prompt_id", STRING, "The prompt; also the partition."),
        field("prompt", STRING, "The task text."),
        field("status", STRING, "done, or withdrawn when the prompt has left the dataset."),
        field("fingerprint", STRING, "Hash of the prompt's whole content, labels included."),
        field("metadata", METADATA, "The prompt's metadata; each value as JSON."),
        field("candidates", list_of(*CANDIDATE), "The responses."),
    ]
)
_BATCH_ROWS = 256


class StoredPrompt(NamedTuple):
    """A prompt of the dataset as it is stored, without sampled candidates."""

    prompt: Prompt
    is_withdrawn: bool
    """Whether the prompt has left the dataset's file."""


class PromptStatus(NamedTuple):
    """Whether a prompt is still in the dataset's file; reads only these two columns."""

    prompt_id: str
    status: str


class PromptText(NamedTuple):
    """A prompt without its candidates; reads only these three columns."""

    prompt_id: str
    status: str
    prompt: str


class PromptFingerprint(NamedTuple):
    """The content hash of a prompt; reads only these two columns."""

    fingerprint: str
    status: str


class PromptCandidates(NamedTuple):
    """How many candidates a prompt has and where they come from; read with the columns `CANDIDATE_COLUMNS`."""

    prompt_id: str
    status: str
    sources: list[str]
    """The source of each candidate; empty where it is not known."""


CANDIDATE_COLUMNS = ("prompt_id", "status", "candidates")


def prompt_batches(prompts: Iterable[Prompt], withdrawn: Iterable[Prompt] = ()) -> Iterator[pa.RecordBatch]:
    """Yield one row per prompt, a few hundred rows at a time: first the prompts of the file, then those withdrawn."""
    present = ((prompt, Status.DONE) for prompt in prompts)
    rows = (_prompt_columns(*pair) for pair in chain(present, ((prompt, Status.WITHDRAWN) for prompt in withdrawn)))
    while batch := list(islice(rows, _BATCH_ROWS)):  # Python objects take several times the memory of Arrow's rows
        yield pa.RecordBatch.from_pylist(batch, schema=PROMPTS)


def read_stored_prompts(rows: pa.Table | pa.RecordBatch) -> Iterator[StoredPrompt]:
    """Yield the prompts of rows with all columns; the inverse of `prompt_batches`."""
    for row in rows.to_pylist():
        yield StoredPrompt(_read_prompt(row), row["status"] == Status.WITHDRAWN)


def read_prompt_ids(rows: pa.Table) -> list[str]:
    """Return the ids of all prompts, withdrawn ones included; `rows` needs the column `prompt_id` only.

    >>> read_prompt_ids(pa.table({"prompt_id": ["p1", "p2"]}))
    ['p1', 'p2']
    """
    ids: list[str] = rows["prompt_id"].to_pylist()
    return ids


def read_present_ids(rows: pa.Table) -> list[str]:
    """Return the ids of the prompts that are still in the dataset's file; `rows` needs `PromptStatus._fields`."""
    return [row.prompt_id for row in read_flat(PromptStatus, rows) if row.status != Status.WITHDRAWN]


def read_prompt_candidates(rows: pa.Table) -> Iterator[PromptCandidates]:
    """Yield the sources of each prompt's candidates without parsing these; `rows` needs `CANDIDATE_COLUMNS`."""
    for batch in rows.to_batches(max_chunksize=_BATCH_ROWS):
        for row in batch.to_pylist():
            sources = [candidate["source"] for candidate in row["candidates"]]
            yield PromptCandidates(row["prompt_id"], row["status"], sources)


def _prompt_columns(prompt: Prompt, status: Status) -> Columns:
    return {
        "prompt_id": prompt.prompt_id,
        "prompt": prompt.prompt,
        "status": str(status),
        "fingerprint": prompt.fingerprint,
        "metadata": metadata_pairs(prompt.metadata),
        "candidates": candidate_columns(prompt.candidates),
    }


def _read_prompt(row: Columns) -> Prompt:
    return Prompt(
        prompt_id=row["prompt_id"],
        prompt=row["prompt"],
        metadata=read_metadata(row["metadata"]),
        candidates=read_candidates(row["candidates"]),
    )
