"""What assets publish of a prompt: few numbers, and of the best rubric a page to read."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.history_image import history_markdown
from autosr_assets.lineage import Step, lineage_tree
from autosr_lib.evaluation.holdout import OWN_FIGURE
from autosr_lib.storage.rows import Row, read_preferences
from autosr_lib.storage.tables import Status

POPULATION_COLUMNS = [
    "status", "error", "place", "objective", "gain", "operator", "criteria", "stopped", "history", "last_calls",
    "calls", "tried", "kept",
]  # fmt: skip


def preferences_metadata(rows: pa.Table) -> dict[str, Any]:
    """Return what is published of a prompt's preferences."""
    if (bad := _unsuccessful(rows)) is not None:
        return bad
    from autosr_lib.evaluation.reference import intransitive_share  # noqa: PLC0415 - scipy is slow to import

    known = read_preferences(rows)
    figures = {"flip_rate": known.flip_rate, "intransitive_share": intransitive_share(known.preferences)}
    return {
        "judge": str(known.judge),
        "pairs": len(known.preferences),
        "calls": known.calls,
        "unjudged": known.unjudged,
        **{name: value for name, value in figures.items() if value is not None},
    }


def population_metadata(rows: pa.Table) -> dict[str, Any]:
    """Return what is published of a prompt's population."""
    if (bad := _unsuccessful(rows)) is not None:
        return bad
    head = rows.slice(0, 1).to_pylist()[0]
    latest = head["history"][-1]
    calls = head["last_calls"]
    return {
        "best_objective": latest["best"],
        "mean_objective": latest["mean"],
        "gain": latest["best"] - head["history"][0]["best"],
        "diversity": latest["diversity"],
        "criteria": len(head["criteria"]),
        "tried": _counts(head["tried"]),
        "kept": _counts(head["kept"]),
        "calls": calls["initializer"] + calls["proposer"] + calls["verifier"],
        "ungraded": calls["ungraded"],
        "saved_by_bank": calls["saved_by_bank"],
        "saved_by_racing": calls["saved_by_racing"],
        "stopped": head["stopped"] or "no",
    }


def best_metadata(row: Row) -> dict[str, Any]:
    """Return what is published of a prompt's best rubric."""
    calls = row["calls"]
    metadata: dict[str, Any] = {
        "rubric": dg.MetadataValue.md(rubric_markdown(row["rubric"])),
        "scores": dg.MetadataValue.md(scores_markdown(row)),
        "history": dg.MetadataValue.md(history_markdown(row)),
        "lineage": dg.MetadataValue.md(lineage_markdown(row["lineage"])),
        "best_candidate": row["best_candidate_id"],
        "objective": row["best"]["objective"],
        "initial_objective": row["initial"]["objective"],
        "pair_accuracy": row["best"]["pair_accuracy"],
        "criteria": len(row["rubric"]),
        "generations": row["generations"],
        "stopped": row["stopped"],
        "calls": calls["initializer"] + calls["proposer"] + calls["verifier"],
        "ungraded": calls["ungraded"],
        "status": row["status"],
    }
    if len(row["candidate_scores"]) >= OWN_FIGURE and row["holdout_pairs"]:
        metadata["holdout_accuracy"] = row["holdout_best"] / row["holdout_pairs"]
        metadata["initial_holdout_accuracy"] = row["holdout_initial"] / row["holdout_pairs"]
    return metadata


def rubric_markdown(criteria: Sequence[Row]) -> str:
    """Return a rubric as a table, the heaviest criterion first."""
    rows = sorted(criteria, key=lambda one: -one["weight"])
    lines = [f"| {one['weight']:.0%} | {cell(one['text'])} | {one['measure'] or ''} |" for one in rows]
    return "\n".join(["| weight | criterion | measure |", "|---:|---|---|", *lines])


def scores_markdown(row: Row) -> str:
    """Return every candidate's score as a table, the best first; those held out from the search are marked."""
    known = sorted(row["candidate_scores"], key=lambda one: -(one["score"] if one["score"] is not None else -1))
    lines = [
        f"| {cell(one['candidate_id'])} | {_score(one['score'])} | {'held out' if one['is_hidden'] else ''} |"
        for one in known
    ]
    return "\n".join(["| candidate | score | |", "|---|---:|---|", *lines])


def lineage_markdown(ancestors: Iterable[Row]) -> str:
    """Return the way from the first rubric to the best as a small tree, each below the parent that it came from."""

    def lines(steps: Iterable[Step], depth: int) -> Iterator[str]:
        for step in steps:
            yield f"{'  ' * depth}- {step.text}"
            yield from lines(step.children, depth + 1)

    return "\n".join(lines(lineage_tree(ancestors), 0))


def _score(score: float | None) -> str:
    return "unscored" if score is None else f"{score:.3f}"


def _counts(rows: Iterable[Row]) -> str:
    return ", ".join(f"{one['operator']} {one['count']}" for one in rows) or "none"


def _unsuccessful(rows: pa.Table) -> dict[str, Any] | None:
    status = rows["status"][0].as_py()
    if status in (Status.DONE, Status.INCOMPLETE):
        return None
    return {"status": status, "error": rows["error"][0].as_py() or ""}


def cell(text: str, width: int = 1000) -> str:
    """Return a text as one cell of a markdown table, cut off at `width`; nothing in it is markdown any more."""
    plain = " ".join(text.split())
    plain = plain if len(plain) <= width else plain[: width - 1] + "…"
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
