"""The metadata that assets publish for a prompt: figures, and the tables and charts of its best rubric."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from autosr_assets.views.charts import INLINE, calls_chart, image, objective_chart
from autosr_assets.views.rubric_text import (
    best_scores_first,
    criterion_text,
    heaviest_first,
    lineage_markdown,
    rubric_markdown,
    score_text,
)
from autosr_lib.evaluation.holdout import MIN_CANDIDATES_FOR_OWN_FIGURE, HoldoutSummary, PairSummary
from autosr_lib.evaluation.reference import intransitive_share
from autosr_lib.storage.tables.best_rubrics import BestRubricRow, CandidateScore
from autosr_lib.storage.tables.candidates import read_sampled
from autosr_lib.storage.tables.columns import RowStatus, read_row_status
from autosr_lib.storage.tables.population import HEAD_COLUMNS, is_pruned, read_population_head
from autosr_lib.storage.tables.preferences import read_preferences
from autosr_lib.storage.tables.structs import CriterionRow

POPULATION_COLUMNS = [*RowStatus._fields, *HEAD_COLUMNS]
"""Columns that `population_metadata` needs."""


def candidates_metadata(rows: pa.Table) -> dict[str, Any]:
    """Return the metadata of the candidates sampled for a prompt."""
    row_status, sampled = read_sampled(rows)
    if sampled is None:
        return _unsuccessful_metadata(row_status)
    sources = sorted({candidate.source for candidate in sampled.candidates})
    return {
        "sampled": len(sampled.candidates),
        "sources": ", ".join(sources) or "none: the prompt has candidates of its own",
        "calls": sampled.calls,
        "failed": sampled.failed,
        "repeated": sampled.repeated,
    }


def preferences_metadata(rows: pa.Table) -> dict[str, Any]:
    """Return the metadata of a prompt's preferences."""
    if not (row_status := read_row_status(rows)).is_usable:
        return _unsuccessful_metadata(row_status)
    preferences = read_preferences(rows)
    figures = {
        "flip_rate": preferences.flip_rate,
        "intransitive_share": intransitive_share(preferences.preferences),
    }
    return {
        "judge": str(preferences.judge),
        "pairs": len(preferences.preferences),
        "calls": preferences.calls,
        "unjudged": preferences.unjudged,
        **{name: value for name, value in figures.items() if value is not None},
    }


def population_metadata(rows: pa.Table) -> dict[str, Any]:
    """Return the metadata of a prompt's population; `rows` needs the columns `POPULATION_COLUMNS`."""
    if not (row_status := read_row_status(rows)).is_usable:
        return _unsuccessful_metadata(row_status)
    if is_pruned(rows):
        return {"state": "pruned; searched again when a run needs it"}
    head = read_population_head(rows)
    latest, calls = head.history[-1], head.last_calls
    return {
        "best_objective": latest.best,
        "mean_objective": latest.mean,
        "gain": latest.best - head.history[0].best,
        "diversity": latest.diversity,
        "criteria": head.criteria,
        "tried": _counts(head.tried),
        "kept": _counts(head.kept),
        "calls": calls.total,
        "ungraded": calls.ungraded,
        "saved_by_bank": calls.saved_by_bank,
        "saved_by_racing": calls.saved_by_racing,
        "stopped": str(head.stopped or "no"),
    }


def best_metadata(row: BestRubricRow) -> dict[str, Any]:
    """Return the metadata of a prompt's best rubric."""
    metadata: dict[str, Any] = {
        **rubric_metadata(row.rubric),
        "scores": scores_table(row.candidate_scores),
        "objective_by_generation": picture(
            "best and mean objective",
            objective_chart(
                [milestone.best for milestone in row.history], [milestone.mean for milestone in row.history]
            ),
        ),
        "calls_by_generation": picture(
            "calls by generation", calls_chart([milestone.calls for milestone in row.history])
        ),
        "lineage": dg.MetadataValue.md(lineage_markdown(row.lineage)),
        "best_candidate": row.best_candidate_id,
        "objective": row.best.objective,
        "initial_objective": row.initial.objective,
        "pair_accuracy": row.best.pair_accuracy,
        "criteria": len(row.rubric),
        "generations": row.generations,
        "stopped": str(row.stopped),
        "calls": row.calls.total,
        "ungraded": row.calls.ungraded,
        "gamed_by": ", ".join(row.gamed_by) or ("nothing that was tried" if row.probes else "not probed"),
        "status": str(row.status),
    }
    touching = row.holdout.touching
    if len(row.candidate_scores) >= MIN_CANDIDATES_FOR_OWN_FIGURE and touching.pairs:
        metadata["holdout_accuracy"] = touching.best / touching.pairs
        metadata["initial_holdout_accuracy"] = touching.initial / touching.pairs
    return metadata


def rubric_metadata(criteria: Iterable[CriterionRow]) -> dict[str, Any]:
    """Return a rubric as markdown; if the web UI would collapse the markdown, also as a table."""
    ordered = heaviest_first(criteria)
    markdown = rubric_markdown(ordered)
    metadata: dict[str, Any] = {"rubric": dg.MetadataValue.md(markdown)}
    if len(markdown) >= INLINE:
        columns = {"weight": "Share of the rubric.", "criterion": "What is graded."}
        rows = [{"weight": f"{criterion.weight:.0%}", "criterion": criterion_text(criterion)} for criterion in ordered]
        metadata["criteria_by_weight"] = table(columns, rows)
    return metadata


def scores_table(scores: Iterable[CandidateScore]) -> dg.TableMetadataValue:
    """Return the score of every candidate, best first; held-out candidates are marked."""
    columns = {
        "candidate": "Id of the candidate.",
        "score": "0 to 1 under the rubric.",
        "held out": "Whether the search could not see it.",
    }
    rows = [
        {
            "candidate": score.candidate_id,
            "score": score_text(score.score),
            "held out": "held out" if score.is_hidden else "",
        }
        for score in best_scores_first(scores)
    ]
    return table(columns, rows)


def table(columns: Mapping[str, str], rows: Iterable[Mapping[str, str | int | float]]) -> dg.TableMetadataValue:
    """Return a table with column descriptions, by column name; the web UI never collapses a table."""
    schema = dg.TableSchema(
        columns=[dg.TableColumn(name, description=description) for name, description in columns.items()]
    )
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows], schema)


def picture(alt: str, svg: str) -> dg.MarkdownMetadataValue:
    """Return an SVG as metadata, with an alternative text."""
    return dg.MetadataValue.md(image(alt, svg))


def held_out_table(summary: HoldoutSummary) -> dg.TableMetadataValue:
    """Return the held-out figures as a table: unseen pairs, and touching pairs with the accuracy of labels alone."""
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


def _figures(summary: PairSummary | None, labels_alone: str) -> tuple[str, ...]:
    if summary is None:
        return ("0", "0", "", "", "", "")
    return (
        f"{summary.pairs:,}",
        f"{summary.prompts:,}",
        str(summary.initial),
        str(summary.best),
        summary.gain.in_points,
        labels_alone,
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{operator} {count}" for operator, count in counts.items()) or "none"


def _unsuccessful_metadata(row_status: RowStatus) -> dict[str, Any]:
    return {"status": str(row_status.status), "error": row_status.error or ""}
