"""Searches with stored best rubrics, listed without Dagster."""

import difflib
from dataclasses import dataclass

from autosr_lib.errors import SettingsError
from autosr_lib.storage.file_names import file_name_to_key
from autosr_lib.storage.files import storage_errors
from autosr_lib.storage.partition_keys import partition_key, prompt_id_of
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import StoredBest, read_best_rubric


@dataclass(frozen=True)
class StoredRubric:
    """The stored row of a prompt's best rubric, and the searches that have one."""

    search: str
    """Name of the search that wrote the row."""
    row: StoredBest
    other_searches: tuple[str, ...]
    """Other searches with a row for the prompt, latest first."""


def stored_searches(store: TableStore) -> list[str]:
    """Return the names of the searches that have stored best rubrics."""
    with storage_errors(store.root, "list"):
        if not store.root.exists():
            return []
        folders = [folder for folder in store.root.iterdir() if (folder / "best_rubrics").is_dir()]
    return sorted(name for folder in folders if (name := file_name_to_key(folder.name)) is not None)


def find_best(store: TableStore, prompt_id: str, search: str | None) -> StoredRubric:
    """Return a prompt's best rubric in the named search, by default the latest search that has the prompt.

    Raises:
        SettingsError: the search or the prompt does not exist; the message names similar prompts.
    """
    searches = stored_searches(store)
    if search is not None and search not in searches:
        raise SettingsError(f"name {search!r} is not a stored search; there are {', '.join(searches) or 'none yet'}")
    candidates = searches if search is None else [search]
    key = partition_key(prompt_id)
    matching = [name for name in candidates if store.exists(TableName.best_rubrics(name), key)]
    if not matching:
        raise SettingsError(f"prompt {prompt_id!r} is in no stored search; {_suggestion(store, candidates, prompt_id)}")
    matching.sort(key=lambda name: store.path(TableName.best_rubrics(name), key).stat().st_mtime, reverse=True)
    rows = store.stored(TableName.best_rubrics(matching[0]), key).read()
    return StoredRubric(matching[0], read_best_rubric(rows), tuple(matching[1:]))


def _suggestion(store: TableStore, searches: list[str], prompt_id: str) -> str:
    """Return the end of a message that names similar prompt ids, or else some that exist."""
    ids = sorted({prompt_id_of(key) for name in searches for key in store.keys(TableName.best_rubrics(name))})
    if similar := difflib.get_close_matches(prompt_id, ids, n=3, cutoff=0.4):
        return f"did you mean {' or '.join(map(repr, similar))}?"
    return f"there are {', '.join(map(repr, ids[:3]))} …" if ids else "nothing has been searched yet"
