"""Whether an export says what the tables say, read a prompt at a time."""

import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from upath import UPath

from autosr_lib.results.export import best_entry
from autosr_lib.storage.files import storage_path
from autosr_lib.storage.rows import Row
from autosr_lib.storage.tables import Status


def differences(path: str | UPath, rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Yield (prompt, what is wrong) for each entry of an export that is not what `best_entry` makes of its row.

    The export is what `write_export` writes: an entry a line, in the order of the rows that did not fail.
    """
    target = storage_path(path)
    if not target.is_file():
        yield "", f"{target} is not there"
        return
    wanted = (best_entry(row) for row in rows if row["status"] != Status.FAILED)
    for entry, told in zip_longest(wanted, _entries(target)):
        if told is None and entry is not None:
            yield entry["prompt_id"], "is not in the export"
        elif entry is None:
            yield str((told or {}).get("prompt_id", "")), "is in the export and not in the tables"
        elif entry != told:
            yield entry["prompt_id"], "the export says something else, or has another prompt in its place"


def _entries(path: UPath) -> Iterator[Row]:
    """Yield the entries of an export; a line that is no entry is an empty one, which equals nothing."""
    with path.open("r", encoding="utf-8") as lines:
        if (next(lines, ""), next(lines, "")) != ("{\n", '"best_rubrics": [\n'):
            yield {}
            return
        for line in lines:
            if line.startswith("]"):
                return
            try:
                entry = json.loads(line.strip().removesuffix(","))
            except ValueError:
                entry = {}
            yield entry if isinstance(entry, dict) else {}
