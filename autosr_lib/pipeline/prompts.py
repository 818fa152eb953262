"""The stored prompts of a dataset, parsed once per run."""

from collections.abc import Iterable, Iterator

from autosr_lib.domain.prompt import Prompt
from autosr_lib.pipeline.row_cache import RowCache
from autosr_lib.storage.partition_keys import partition_key, prompt_id_of
from autosr_lib.storage.store import StoredTable
from autosr_lib.storage.tables.prompts import PromptStatus, StoredPrompt, read_present_ids, read_stored_prompts


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
        for stored in read_stored_prompts(rows):
            if cache is not None:
                key = partition_key(stored.prompt.prompt_id)
                cache.put(_cache_key(dataset, key), stored, _size(stored.prompt))
            yield stored


def present_prompt_ids(dataset: StoredTable) -> list[str]:
    """Return the ids of the prompts that have not left the dataset, in its order."""
    return read_present_ids(dataset.read(PromptStatus._fields))


def _cache_key(dataset: StoredTable, key: str) -> tuple[str, str, str]:
    return "prompt", str(dataset.table), key


def _size(prompt: Prompt) -> int:
    return len(prompt.prompt) + sum(len(candidate.text) for candidate in prompt.candidates)
