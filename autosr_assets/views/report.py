"""The report of a search: an HTML file beside its export, without scripts and network access."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from upath import UPath

from autosr_assets.views.pages import page_template
from autosr_assets.views.report_prompt import prompt_section
from autosr_assets.views.search_charts import search_charts
from autosr_lib.domain.wording import plural
from autosr_lib.evaluation.holdout import HoldoutSummary
from autosr_lib.evaluation.responses import with_candidates
from autosr_lib.pipeline.call_records import Usage, usage_by_role
from autosr_lib.results.summary import PromptLine, SearchSummary
from autosr_lib.results.totals import Totals
from autosr_lib.storage.files import atomic_write, storage_errors
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import BestRubricRow
from autosr_lib.storage.tables.candidates import CALL_COLUMNS, read_sampled, read_sampling_calls
from autosr_lib.storage.tables.columns import Status
from autosr_lib.storage.tables.prompts import CANDIDATE_COLUMNS, read_prompt_candidates, read_stored_prompts

FOLDED_AT = 500
"""Number of rows above which the table of prompts is split into collapsed parts, which browsers do not lay out."""
NAMED = 200
"""Maximum number of failed, incomplete and withdrawn prompts that are named; the others are counted."""


def report_path(target: UPath) -> UPath:
    """Return the path of an export's report.

    >>> report_path(UPath("exports/calls.json")).name
    'calls.html'
    """
    return target.with_name(target.name.removesuffix(".json") + ".html")


def write_report(store: TableStore, target: UPath, manifest: Mapping[str, Any], summary: SearchSummary) -> UPath:
    """Write the report of the export `target` and return its path.

    Raises:
        StorageError: the report cannot be written; an earlier report is kept.
    """
    path = report_path(target)
    pieces = page_template("report.html.j2").stream(**_context(store, manifest, summary))
    pieces.enable_buffering(50)
    with (
        storage_errors(path, "write"),
        atomic_write(path) as part,
        part.open("w", encoding="utf-8", errors="replace") as out,
    ):
        out.writelines(pieces)
    return path


def _context(store: TableStore, manifest: Mapping[str, Any], summary: SearchSummary) -> dict[str, Any]:
    dataset, totals = manifest["dataset_name"], summary.totals
    holdout, detailed = totals.holdout, summary.detailed
    anchors = {row.prompt_id: f"prompt-{number}" for number, row in enumerate(detailed)}
    charts: dict[str, str] = dict.fromkeys(
        ("objective_by_generation", "calls_by_generation", "held_out_accuracy", "steps_to_the_best"), ""
    ) | {
        name: Markup(svg)  # noqa: S704 - our own SVG, which contains only numbers and fixed texts
        for name, svg in search_charts(summary.histories, holdout).items()
    }
    spending = usage_by_role(store, manifest["search"], dataset)
    facts, withdrawn = _dataset_facts(store, TableName.dataset(dataset))
    return {
        "name": manifest["search"],
        "manifest": manifest,
        "manifest_text": json.dumps(manifest, indent=1, ensure_ascii=False),
        "totals": totals,
        "held_out": _held_out(holdout),
        "verdict": None if holdout is None else verdict(holdout),
        "charts": charts,
        "stopped": totals.stop_counts or "nothing",
        "calls": list(_calls(totals, _sampling_calls(store, manifest), spending)),
        "has_spending": bool(spending),
        "dataset": {"file": manifest["dataset"], "sha256": manifest["dataset_sha256"], **facts},
        "withdrawn": withdrawn,
        "failed": list(totals.failed.items())[:NAMED],
        "incomplete": summary.incomplete[:NAMED],
        "most_named": NAMED,
        "section_count": len(detailed),
        "sections": _sections(store, dataset, detailed, anchors),
        "rows": [_line(line, anchors.get(line.prompt_id, "")) for line in summary.lines],
        "folded_at": FOLDED_AT,
    }


def _line(line: PromptLine, anchor: str) -> dict[str, Any]:
    """Return a prompt's row in the table of all prompts."""
    cells: dict[str, Any] = {"prompt_id": line.prompt_id, "status": line.status, "anchor": anchor}
    if (figures := line.figures) is None:
        return dict.fromkeys(("initial", "best", "gain", "criteria", "calls", "candidate"), "") | cells
    return cells | {
        "initial": f"{figures.initial:.3f}",
        "best": f"{figures.best:.3f}",
        "gain": f"{figures.best - figures.initial:+.3f}",
        "criteria": figures.criteria,
        "calls": figures.calls,
        "candidate": figures.best_candidate_id,
    }


def verdict(summary: HoldoutSummary) -> str:
    """Return one or two sentences on the held-out figures, which claim no more than the unseen pairs show."""
    unseen, touching = summary.unseen, summary.touching
    if unseen is None:
        sentences = (
            "No prompt hides two candidates whose order is known, so no figure here is free of remembered labels."
        )
    elif unseen.gain.low > 0:
        sentences = f"On unseen pairs the best rubrics gain {unseen.gain.in_points} points: more than chance explains."
    elif unseen.gain.high < 0:
        sentences = f"On unseen pairs the best rubrics lose {unseen.gain.in_points} points: worse than the first ones."
    else:
        sentences = f"On unseen pairs the gain of {unseen.gain.in_points} points is not significant."
    if touching.best.value <= summary.remembered:
        sentences += " On touching pairs the visible labels alone earn as much."
    return sentences


def _held_out(summary: HoldoutSummary | None) -> list[dict[str, Any]]:
    if summary is None:
        return []
    pools = (
        ("unseen", summary.unseen, "nothing to remember"),
        ("touching", summary.touching, f"{summary.remembered:.1%}"),
    )
    return [
        {
            "of": name,
            "pairs": f"{pairs.pairs:,} in {plural(pairs.prompts, 'prompt')}",
            "first": str(pairs.initial),
            "best": str(pairs.best),
            "gain": pairs.gain.in_points,
            "alone": labels_alone,
        }
        for name, pairs, labels_alone in pools
        if pairs is not None
    ]


def _calls(totals: Totals, sampling_calls: int | None, spending: Mapping[str, Usage]) -> Iterator[dict[str, Any]]:
    """Yield a row for each role, and one for the probes, whose tokens are counted as the verifier's.

    Args:
        totals: of the search.
        sampling_calls: calls of the responder, None without a responder.
        spending: usage by role.
    """
    counts: dict[str, int | None] = {
        "initializer": totals.calls.initializer,
        "proposer": totals.calls.proposer,
        "verifier": totals.calls.verifier,
        "judge": totals.judge_calls,
        "responder": sampling_calls,
    }
    for role, count in counts.items():
        if count is not None:
            spent = spending.get(role)
            tokens, cost = ("–", "–") if spent is None else (f"{spent.tokens:,.0f}", f"{spent.cost:.4f}")
            yield {"role": role, "calls": count, "tokens": tokens, "cost": cost}
    if totals.probed:
        among = "among the verifier's" if totals.probe_calls else "–"
        yield {"role": "probes", "calls": totals.probe_calls, "tokens": among, "cost": among}


def _sampling_calls(store: TableStore, manifest: Mapping[str, Any]) -> int | None:
    """Return the number of calls that sampled candidates, None if the dataset has no pool of models."""
    if not manifest["dataset_settings"]["responses"]["response_models"]:
        return None
    return sum(
        read_sampling_calls(rows)
        for _, rows in store.scan(TableName.candidates(manifest["dataset_name"]), CALL_COLUMNS)
    )


def _dataset_facts(store: TableStore, table: TableName) -> tuple[dict[str, str], list[str]]:
    """Return the contents of the dataset as text, and the ids of the withdrawn prompts."""
    withdrawn, sizes, sources = list[str](), Counter[int](), set[str]()
    for prompt in read_prompt_candidates(store.stored(table).read(CANDIDATE_COLUMNS)):
        if prompt.status == Status.WITHDRAWN:
            withdrawn.append(prompt.prompt_id)
            continue
        sizes[len(prompt.sources)] += 1
        sources |= set(prompt.sources) - {""}
    names = ", ".join(sorted(sources)[:20]) + (" …" if len(sources) > 20 else "")
    facts = {
        "prompts": f"{sizes.total():,}",
        "candidates": f"{sum(size * count for size, count in sizes.items()):,}, {min(sizes, default=0)} to "
        f"{max(sizes, default=0)} per prompt",
        "sources": f"{len(sources)}: {names}" if sources else "not given",
    }
    return facts, withdrawn


def _sections(
    store: TableStore, dataset: str, detailed: Sequence[BestRubricRow], anchors: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the sections of the prompts that are described in detail."""
    prompt_ids = [row.prompt_id for row in detailed]
    prompts = {
        prompt.prompt_id: prompt
        for rows in store.read_where(TableName.dataset(dataset), "prompt_id", prompt_ids)
        for prompt, _ in read_stored_prompts(rows)
    }
    for row in detailed:
        prompt = prompts[row.prompt_id]
        rows = store.read(TableName.candidates(dataset), partition_key(row.prompt_id))
        sampled = None if rows is None else read_sampled(rows).sampled
        if sampled is not None:
            prompt = with_candidates(prompt, sampled.candidates)
        yield prompt_section(row, prompt, anchors[row.prompt_id])
