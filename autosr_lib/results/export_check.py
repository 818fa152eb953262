"""The check that an export has the same content as the tables; it compares one prompt at a time."""

import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from upath import UPath

from autosr_lib.results.export import export_entry
from autosr_lib.results.outcomes import PromptOutcome
from autosr_lib.storage.files import storage_path
from autosr_lib.storage.tables.best_rubrics import BestRubricRow


def differences(path: str | UPath, outcomes: Iterable[PromptOutcome]) -> Iterator[tuple[str, str]]:
    """Yield (prompt id, fault) for each entry of an export that differs from `export_entry` of its row.

    The export must have the format of `write_export`: one entry per line, in the order of the rows that have a rubric.
    """
    target = storage_path(path)
    if not target.is_file():
        yield "", f"{target} does not exist"
        return
    expected = (
        export_entry(outcome.prompt, outcome.row) for outcome in outcomes if isinstance(outcome.row, BestRubricRow)
    )
    for entry, exported in zip_longest(expected, _entries(target)):
        if entry is None:
            yield str((exported or {}).get("prompt_id", "")), "is in the export but not in the tables"
        elif exported is None:
            yield entry["prompt_id"], "is not in the export"
        elif entry != exported:
            yield entry["prompt_id"], "the export has other values, or another prompt in this position"


def _entries(path: UPath) -> Iterator[dict[str, Any]]:
    """Yield the entries of an export; a line that is not an entry yields {}, which differs from every row's entry."""
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
