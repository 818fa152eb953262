"""What assets publish of a prompt: few numbers, and of the best rubric a page to read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.views.charts import INLINE, calls_chart, image, objective_chart
from autosr_assets.views.lineage import Step, lineage_tree
from autosr_lib.evaluation.holdout import OWN_FIGURE, HoldoutSummary, PairSummary
from autosr_lib.storage.rows import Row, is_pruned, read_preferences
from autosr_lib.storage.tables import Status

POPULATION_COLUMNS = [
    "status", "error", "place", "objective", "gain", "operator", "criteria", "stopped", "history", "last_calls",
    "calls", "tried", "kept",
]  # fmt: skip

_PUBLISHED = ["history", "last_calls", "criteria", "tried", "kept", "stopped"]


def candidates_metadata(rows: pa.Table) -> dict[str, Any]:
    """Return what is published of what was sampled for a prompt."""
    if (bad := _unsuccessful(rows)) is not None:
        return bad
    row = rows.to_pylist()[0]
    sources = sorted({one["source"] for one in row["candidates"]})
    return {
        "sampled": len(row["candidates"]),
        "sources": ", ".join(sources) or "none: the prompt has candidates of its own",
        "calls": row["calls"],
        "failed": row["failed"],
        "repeated": row["repeated"],
    }


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
    if is_pruned(rows):
        return {"state": "pruned; searched again when a run needs it"}
    head = rows.slice(0, 1).select(_PUBLISHED).to_pylist()[0]
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
    calls, history = row["calls"], row["history"]
    best, mean = ([one[name] for one in history] for name in ("best", "mean"))
    metadata: dict[str, Any] = {
        **rubric_metadata(row["rubric"]),
        "scores": scores_table(row),
        "objective_by_generation": picture("best and mean objective", objective_chart(best, mean)),
        "calls_by_generation": picture("calls by generation", calls_chart([one["calls"] for one in history])),
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
        "gamed_by": ", ".join(row["gamed_by"]) or ("nothing that was tried" if row["probes"] else "not probed"),
        "status": row["status"],
    }
    if len(row["candidate_scores"]) >= OWN_FIGURE and row["holdout_pairs"]:
        metadata["holdout_accuracy"] = row["holdout_best"] / row["holdout_pairs"]
        metadata["initial_holdout_accuracy"] = row["holdout_initial"] / row["holdout_pairs"]
    return metadata


def rubric_metadata(criteria: Sequence[Row]) -> dict[str, Any]:
    """Return a rubric as markdown; and as a table where the web UI would put the markdown behind a click."""
    markdown = rubric_markdown(criteria)
    metadata: dict[str, Any] = {"rubric": dg.MetadataValue.md(markdown)}
    if len(markdown) >= INLINE:
        columns = {"weight": "Share of the rubric.", "criterion": "What is graded."}
        rows = [{"weight": f"{one['weight']:.0%}", "criterion": _criterion(one)} for one in heaviest_first(criteria)]
        metadata["criteria_by_weight"] = table(columns, rows)
    return metadata


def rubric_markdown(criteria: Sequence[Row]) -> str:
    """Return a rubric as a table, the heaviest criterion first."""
    lines = [f"| {one['weight']:.0%} | {cell(_criterion(one))} |" for one in heaviest_first(criteria)]
    return "\n".join(["| weight | criterion |", "|---:|---|", *lines])


def heaviest_first(criteria: Iterable[Row]) -> list[Row]:
    """Return the criteria by weight."""
    return sorted(criteria, key=lambda one: -one["weight"])


def _criterion(one: Row) -> str:
    measure = one["measure"]
    return one["text"] if not measure or measure in one["text"] else f"{one['text']} ({measure})"


def scores_table(row: Row) -> dg.TableMetadataValue:
    """Return every candidate's score, the best first; those held out from the search are marked."""
    known = sorted(row["candidate_scores"], key=lambda one: -(one["score"] if one["score"] is not None else -1))
    columns = {
        "candidate": "Id of the candidate.",
        "score": "0 to 1 under the rubric.",
        "held out": "Whether the search could not see it.",
    }
    rows = [
        {
            "candidate": one["candidate_id"],
            "score": _score(one["score"]),
            "held out": "held out" if one["is_hidden"] else "",
        }
        for one in known
    ]
    return table(columns, rows)


def table(columns: Mapping[str, str], rows: Iterable[Mapping[str, str | int | float]]) -> dg.TableMetadataValue:
    """Return a table with its schema, column by description; the web UI shows it at once, however long."""
    schema = dg.TableSchema(columns=[dg.TableColumn(name, description=says) for name, says in columns.items()])
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows], schema)


def picture(alt: str, svg: str) -> dg.MarkdownMetadataValue:
    """Return a chart as metadata."""
    return dg.MetadataValue.md(image(alt, svg))


def held_out_table(summary: HoldoutSummary) -> dg.TableMetadataValue:
    """Return the held-out figures to read; unseen pairs first, and beside the others what labels alone would earn."""
    columns = {
        "of": "Accuracy of the first and the best rubrics with 95% intervals over prompts; the gain in points.",
        "unseen": "Pairs of two hidden candidates: nothing about them can be remembered.",
        "touching": "Pairs with a hidden candidate; most have a visible one beside it, whose label was known.",
    }
    sides = [_figures(summary.unseen, "nothing to remember"), _figures(summary.touching, f"{summary.remembered:.1%}")]
    names = ("pairs", "prompts", "first rubrics", "best rubrics", "gain", "visible labels alone")
    rows = [
        {"of": name, "unseen": unseen, "touching": touching}
        for name, unseen, touching in zip(names, *sides, strict=True)
    ]
    return table(columns, rows)


def _figures(one: PairSummary | None, alone: str) -> tuple[str, ...]:
    if one is None:
        return ("0", "0", "", "", "", "")
    return f"{one.pairs:,}", f"{one.prompts:,}", str(one.initial), str(one.best), one.gain.in_points, alone


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
