"""The report of a search: one HTML file beside its export, which needs no network and runs no script."""

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from upath import UPath

from autosr_assets.steps.call_records import spent_by_role
from autosr_assets.views.histories import Histories
from autosr_assets.views.pages import page_template
from autosr_assets.views.report_prompt import prompt_section
from autosr_lib.evaluation.holdout import HoldoutSummary
from autosr_lib.evaluation.responses import with_candidates
from autosr_lib.results.export import Totals
from autosr_lib.storage.files import atomic_write, storage_errors
from autosr_lib.storage.partition_keys import partition_key
from autosr_lib.storage.rows import Row, read_candidates, read_prompt
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.tables import Status

TOLD_IN_FULL = 100
"""Prompts with a section of their own; all are in the table. With 12 candidates a section is about 20 kB."""
FOLDED_AT = 500
"""Rows of the table from which on it is in folds: a browser lays out only those that are open."""
NAMED = 200
"""Prompts in trouble that are named; the others are counted."""
_ROLES = ("initializer", "proposer", "verifier", "judge")


@dataclass
class Digest:
    """What the report needs of every prompt, gathered from the rows as they pass: a few hundred bytes each."""

    histories: Histories = field(default_factory=Histories)
    lines: list[dict[str, Any]] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    _interest: list[tuple[float, int]] = field(default_factory=list)

    def watched(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows on, counting them."""
        for row in self.histories.watched(rows):
            self._add(row)
            yield row

    def _add(self, row: Row) -> None:
        line: dict[str, Any] = dict.fromkeys(("initial", "best", "gain", "criteria", "calls", "candidate"), "")
        line |= {"prompt_id": row["prompt_id"], "status": row["status"], "anchor": ""}
        if row["status"] != Status.FAILED:
            first, best = row["initial"]["objective"], row["best"]["objective"]
            line |= {"initial": f"{first:.3f}", "best": f"{best:.3f}", "gain": f"{best - first:+.3f}"}
            line |= {"criteria": len(row["rubric"]), "candidate": row["best_candidate_id"]}
            line["calls"] = sum(row["calls"][role] for role in _ROLES if role in row["calls"])
            heapq.heappush(self._interest, (abs(best - first), -len(self.lines)))
            if len(self._interest) > TOLD_IN_FULL:
                heapq.heappop(self._interest)
            if row["status"] == Status.INCOMPLETE and len(self.incomplete) < NAMED:
                self.incomplete.append(row["prompt_id"])
        self.lines.append(line)

    def sections(self) -> list[dict[str, Any]]:
        """Return the lines of the prompts that are told in full, each with its anchor, in the dataset's order."""
        chosen = [self.lines[place] for place in sorted(-place for _, place in self._interest)]
        for number, line in enumerate(chosen):
            line["anchor"] = f"prompt-{number}"
        return chosen


def report_path(target: UPath) -> UPath:
    """Return where the report of an export lies."""
    return target.with_name(target.name.removesuffix(".json") + ".html")


def write_report(
    store: TableStore, target: UPath, manifest: Mapping[str, Any], totals: Totals, digest: Digest
) -> UPath:
    """Write the report of the export `target` and return where it is.

    Raises:
        StorageError: it cannot be written; an earlier report is then untouched.
    """
    path = report_path(target)
    pieces = page_template("report.html.j2").stream(**_context(store, manifest, totals, digest))
    pieces.enable_buffering(50)
    with (
        storage_errors(path, "write"),
        atomic_write(path) as part,
        part.open("w", encoding="utf-8", errors="replace") as out,
    ):
        out.writelines(pieces)
    return path


def _context(store: TableStore, manifest: Mapping[str, Any], totals: Totals, digest: Digest) -> dict[str, Any]:
    dataset, search = f"{manifest['dataset_name']}/dataset", manifest["search"]
    summary, sections = totals.holdout, digest.sections()
    charts: dict[str, str] = dict.fromkeys(
        ("objective_by_generation", "calls_by_generation", "held_out_accuracy", "steps_to_the_best"), ""
    ) | {name: Markup(svg) for name, svg in digest.histories.charts(summary).items()}  # noqa: S704 - of our own making
    spending = spent_by_role(store, search, manifest["dataset_name"])
    facts, withdrawn = _dataset_facts(store, dataset)
    return {
        "name": search,
        "manifest": manifest,
        "manifest_text": json.dumps(manifest, indent=1, ensure_ascii=False),
        "totals": totals,
        "held_out": _held_out(summary),
        "verdict": None if summary is None else verdict(summary),
        "charts": charts,
        "stopped": ", ".join(f"{reason} {count}" for reason, count in sorted(totals.stopped.items())) or "nothing",
        "calls": list(_calls(totals, _sampling_calls(store, manifest), spending)),
        "has_spending": bool(spending),
        "dataset": {"file": manifest["dataset"], "sha256": manifest["dataset_sha256"], **facts},
        "withdrawn": withdrawn,
        "failed": list(totals.failed.items())[:NAMED],
        "incomplete": digest.incomplete,
        "most_named": NAMED,
        "sections": sections,
        "details": _details(store, dataset, search, sections),
        "rows": digest.lines,
        "folded_at": FOLDED_AT,
    }


def verdict(summary: HoldoutSummary) -> str:
    """Return in words what the held-out figures allow to be said; no more than the unseen pairs show."""
    unseen, touching = summary.unseen, summary.touching
    if unseen is None:
        said = "No prompt hides two candidates whose order is known, so nothing here is free of what was remembered."
    elif unseen.gain.low > 0:
        said = f"On unseen pairs the best rubrics gain {unseen.gain.in_points} points: more than chance explains."
    elif unseen.gain.high < 0:
        said = f"On unseen pairs the best rubrics lose {unseen.gain.in_points} points: worse than the first ones."
    else:
        said = f"On unseen pairs the gain of {unseen.gain.in_points} points cannot be told from chance."
    if touching.best.value <= summary.remembered:
        said += " On touching pairs the visible labels alone earn as much."
    return said


def _held_out(summary: HoldoutSummary | None) -> list[dict[str, Any]]:
    if summary is None:
        return []
    known = (
        ("unseen", summary.unseen, "nothing to remember"),
        ("touching", summary.touching, f"{summary.remembered:.1%}"),
    )
    return [
        {
            "of": name,
            "pairs": f"{one.pairs:,} in {one.prompts:,} prompts",
            "first": str(one.initial),
            "best": str(one.best),
            "gain": one.gain.in_points,
            "alone": alone,
        }
        for name, one, alone in known
        if one is not None
    ]


def _calls(
    totals: Totals, sampling: int | None, spending: Mapping[str, Mapping[str, float]]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each role, and for the probes, whose tokens are the verifier's; `sampling` is the responder's."""
    counts: dict[str, int | None] = {role: totals.calls.get(role, 0) for role in _ROLES}
    counts |= {"judge": totals.judge_calls, "responder": sampling}
    for role, count in counts.items():
        if count is not None:
            used = spending.get(role)
            tokens, cost = ("–", "–") if used is None else (f"{used['tokens']:,.0f}", f"{used['cost']:.4f}")
            yield {"role": role, "calls": count, "tokens": tokens, "cost": cost}
    if totals.probed:
        among = "among the verifier's" if totals.probe_calls else "–"
        yield {"role": "probes", "calls": totals.probe_calls, "tokens": among, "cost": among}


def _sampling_calls(store: TableStore, manifest: Mapping[str, Any]) -> int | None:
    """Return the calls that sampled candidates, None where the dataset has no pool of models."""
    if not manifest["dataset_settings"]["responses"]["response_models"]:
        return None
    sampled = store.scan(f"{manifest['dataset_name']}/candidates", ["calls"])
    return sum(rows["calls"][0].as_py() or 0 for _, rows in sampled)


def _dataset_facts(store: TableStore, table: str) -> tuple[dict[str, str], list[str]]:
    """Return what the dataset holds, and the prompts that have left it."""
    rows = store.stored(table).read(["prompt_id", "status", "candidates"])
    withdrawn, sizes, sources = list[str](), Counter[int](), set[str]()
    for batch in rows.to_batches(max_chunksize=256):
        for row in batch.to_pylist():
            if row["status"] == Status.WITHDRAWN:
                withdrawn.append(row["prompt_id"])
                continue
            sizes[len(row["candidates"])] += 1
            sources |= {one["source"] for one in row["candidates"]} - {""}
    named = ", ".join(sorted(sources)[:20]) + (" …" if len(sources) > 20 else "")
    facts = {
        "prompts": f"{sizes.total():,}",
        "candidates": f"{sum(size * count for size, count in sizes.items()):,}, {min(sizes, default=0)} to "
        f"{max(sizes, default=0)} a prompt",
        "sources": f"{len(sources)}: {named}" if sources else "not given",
    }
    return facts, withdrawn


def _details(store: TableStore, dataset: str, search: str, sections: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the sections of the prompts that are told in full, one in memory at a time."""
    ids = [line["prompt_id"] for line in sections]
    prompts = {
        row["prompt_id"]: row for rows in store.read_where(dataset, "prompt_id", ids) for row in rows.to_pylist()
    }
    for line in sections:
        rows = store.read(f"{search}/best_rubrics", partition_key(line["prompt_id"]))
        if rows is not None and line["prompt_id"] in prompts:
            prompt = read_prompt(prompts[line["prompt_id"]])
            sampled = store.read(f"{dataset.rpartition('/')[0]}/candidates", partition_key(prompt.prompt_id))
            if sampled is not None:
                prompt = with_candidates(prompt, read_candidates(sampled.to_pylist()[0]))
            yield prompt_section(rows.to_pylist()[0], prompt, line["anchor"])
