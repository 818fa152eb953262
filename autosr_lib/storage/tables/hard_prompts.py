"""The tables `hard_prompts_NN`: one row is one prompt, how hard it is, and whether it is evolved next."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from autosr_lib.storage.tables.columns import BOOL, FLOAT, STRING, field

HARD_PROMPTS = pa.schema(
    [
        field("prompt_id", STRING, "The prompt."),
        field("hardness", FLOAT, "1/(1 + max(0, margin)) + 2 wrong_share; 0.5 easy, 3 hardest; null where it failed."),
        field("margin", FLOAT, "Top margin of its best rubric, signed by the reference."),
        field("wrong_share", FLOAT, "Share of its population whose top candidate is not the reference's best."),
        field("is_hard", BOOL, "Whether the next generation evolves it."),
        field("is_whole", BOOL, "Whether nothing of it is ungraded or failed."),
    ]
)


class HardPromptRow(NamedTuple):
    """A prompt, how hard it is after a generation, and whether the next one evolves it."""

    prompt_id: str
    hardness: float | None
    """None where the prompt failed, as `margin` and `wrong_share`."""
    margin: float | None
    wrong_share: float | None
    is_hard: bool
    is_complete: bool
    """Whether the prompt did not fail and none of its grades is missing."""


def hard_prompts_table(rows: Iterable[HardPromptRow]) -> pa.Table:
    """Return the table of these rows."""
    structs = [dict(zip(HARD_PROMPTS.names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(structs, schema=HARD_PROMPTS)


def read_hard_prompt_rows(table: pa.Table) -> list[HardPromptRow]:
    """Return the rows of a table; the inverse of `hard_prompts_table`.

    >>> row = HardPromptRow("p1", 1.5, 0.0, 0.25, is_hard=True, is_complete=True)
    >>> read_hard_prompt_rows(hard_prompts_table([row])) == [row]
    True
    """
    return [HardPromptRow(*(struct[name] for name in HARD_PROMPTS.names)) for struct in table.to_pylist()]
