"""The stored prompts of a dataset, parsed once per run."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from autosr_lib.domain.prompt import Prompt
from autosr_lib.pipeline.row_cache import RowCache
from autosr_lib.storage.partition_keys import partition_key, prompt_id_of
from autosr_lib.storage.rows import read_prompt
from autosr_lib.storage.store import StoredTable
from autosr_lib.storage.tables import Status


class StoredPrompt(NamedTuple):
    """A prompt of the dataset as it is stored, without sampled candidates."""

    prompt: Prompt
    is_withdrawn: bool
    """Whether the prompt has left the dataset."""


def read_prompts(dataset: StoredTable, keys: Iterable[str], cache: RowCache | None = None) -> Iterator[StoredPrompt]:
    """Yield the prompts of these partition keys, a few hundred in memory at a time; cached ones come first."""
    missing = []
    for key in keys:
        cached: StoredPrompt | None = None if cache is None else cache.get(_cache_key(dataset, key))
        if cached is None:
            missing.append(prompt_id_of(key))
        else:
            yield cached
    if not missing:
        return
    for rows in dataset.read_where("prompt_id", missing):
        for row in rows.to_pylist():
            stored = StoredPrompt(read_prompt(row), row["status"] == Status.WITHDRAWN)
            if cache is not None:
                key = partition_key(stored.prompt.prompt_id)
                cache.put(_cache_key(dataset, key), stored, _size(stored.prompt))
            yield stored


def present_prompt_ids(dataset: StoredTable) -> list[str]:
    """Return the ids of the prompts that have not left the dataset, in its order."""
    rows = dataset.read(["prompt_id", "status"]).to_pylist()
    return [row["prompt_id"] for row in rows if row["status"] != Status.WITHDRAWN]


def _cache_key(dataset: StoredTable, key: str) -> tuple[str, str, str]:
    return "prompt", str(dataset.table), key


def _size(prompt: Prompt) -> int:
    return len(prompt.prompt) + sum(len(candidate.text) for candidate in prompt.candidates)
