"""The table `preferences`: one row is one preference between two candidates of a prompt."""

import pyarrow as pa

from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.evaluation.reference import PromptPreferences
from autosr_lib.evaluation.settings import JudgeSetting
from autosr_lib.storage.tables.columns import BOOL, COMMON, INT, STRING, Columns, Status, common_columns, field

PREFERENCES = pa.schema(
    [
        *COMMON,
        field("judge", STRING, "Who gave the preferences: rank, quality or model."),
        field("first", STRING, "A candidate; null in the one row of a prompt without any preference."),
        field("second", STRING, "Another candidate."),
        field("verdict", STRING, "Which is better: first, second, or tie."),
        field("forward", STRING, "The judge's answer to (first, second); null for labels."),
        field("backward", STRING, "The judge's answer to (second, first), expressed in the order (first, second)."),
        field("touches_hidden", BOOL, "Whether a candidate of the pair is held out from the search."),
        field("calls", INT, "Requests to the judge for all pairs of the prompt; the same on all rows."),
        field("unjudged", INT, "Pairs of the prompt without a readable answer; the same on all rows."),
    ]
)
PREFERENCE_COLUMNS = ("status", "judge", "first", "second", "verdict", "forward", "backward", "calls", "unjudged")
"""The columns that `read_status` and `read_preferences` need."""


def preferences_table(
    prompt_id: str,
    fingerprint: str,
    preferences: PromptPreferences,
    hidden_ids: frozenset[str],
    *,
    has_all_candidates: bool = True,
) -> pa.Table:
    """Return one row per preference; a prompt without any has one row whose pair is null.

    Args:
        prompt_id: the prompt.
        fingerprint: the input fingerprint of the rows.
        preferences: of the prompt.
        hidden_ids: its candidates that are held out from the search.
        has_all_candidates: whether no candidate is still to be sampled; otherwise the rows are incomplete.
    """
    is_complete = has_all_candidates and not preferences.unjudged
    shared = common_columns(prompt_id, fingerprint, Status.DONE if is_complete else Status.INCOMPLETE) | {
        "judge": str(preferences.judge),
        "calls": preferences.calls,
        "unjudged": preferences.unjudged,
    }
    rows: list[Columns] = [
        shared
        | preference.model_dump(mode="json")
        | {"touches_hidden": bool({preference.first, preference.second} & hidden_ids)}
        for preference in preferences.preferences
    ]
    return pa.Table.from_pylist(rows or [shared], schema=PREFERENCES)


def read_preferences(table: pa.Table) -> PromptPreferences:
    """Return the preferences of one prompt's table; the inverse of `preferences_table`."""
    rows = table.to_pylist()
    preferences = tuple(
        Preference(
            first=row["first"],
            second=row["second"],
            verdict=Verdict(row["verdict"]),
            forward=row["forward"] and Verdict(row["forward"]),
            backward=row["backward"] and Verdict(row["backward"]),
        )
        for row in rows
        if row["first"] is not None
    )
    return PromptPreferences(JudgeSetting(rows[0]["judge"]), preferences, rows[0]["calls"], rows[0]["unjudged"])
