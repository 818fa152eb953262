"""What the command line prints: the outcome of a search, one prompt's rubric, a dataset's summary."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from autosr_assets.views.lineage import Step, lineage_tree

Row = Mapping[str, Any]

SHOWN_FAILURES = 20
_CALLS = ("initializer", "proposer", "verifier")


class Bars:
    """A progress bar a step; a step that is run in several chunks has one all the same."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, Counter[str]] = {}
        self._expected = 0

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:
            self._bars.stop()

    def expect(self, total: int) -> None:
        """All runs together are over this many prompts."""
        self._expected = total

    def begin(self, step: str, total: int) -> None:
        """A step begins, over `total` prompts."""
        self._bars.start()  # not before, for bars leave a line even where there are none
        if step not in self._tasks:
            self._told[step] = Counter()
            self._tasks[step] = self._bars.add_task(step, total=max(total, self._expected), told="")

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """A prompt is through: computed or already there, failed or not."""
        told = self._told[step]
        told["failed" if is_failed else "new" if is_new else "unchanged"] += 1
        said = ", ".join(f"{told[kind]} {kind}" for kind in ("failed", "unchanged") if told[kind])
        self._bars.update(self._tasks[step], advance=1, told=said)

    def end(self, step: str) -> None:
        """A step has ended."""


def print_outcome(console: Console, outcome: Any, *, name: str, places: Mapping[str, str]) -> None:
    """Print what a search came to: the best rubrics, figures, failures, and where everything lies."""
    totals = outcome.totals
    for row in outcome.rows:
        console.print(best_panel(row))
        console.print()
    console.print(totals_table(totals))
    if totals.failed:
        console.print(failures(totals.failed))
    if totals.done > len(outcome.rows):
        console.print(f"\nOne prompt's rubric, scores and lineage: autosr show PROMPT --name {name}", highlight=False)
    console.print()
    for what, place in places.items():
        console.print(f"{what + ':':<12}{escape(place)}", highlight=False, soft_wrap=True)


def totals_table(totals: Any) -> RenderableType:
    """Return the figures of a whole search, as its export has them."""
    table = plain_table()
    table.add_row("prompts", f"{totals.prompts}: {totals.done} with a rubric, {len(totals.failed)} failed")
    if totals.incomplete:
        table.add_row(
            "incomplete", f"{totals.incomplete}: something stayed unanswered and is asked again in the next run"
        )
    for what, figure in accuracy_lines(totals):
        table.add_row(what, figure)
    calls = [f"{role} {totals.calls.get(role, 0)}" for role in _CALLS] + [f"judge {totals.judge_calls}"]
    table.add_row("calls", ", ".join(calls))
    spared = {"bank": totals.calls.get("saved_by_bank", 0), "racing": totals.calls.get("saved_by_racing", 0)}
    if any(spared.values()):
        table.add_row("calls saved", ", ".join(f"by the {how} {count}" for how, count in spared.items()))
    stopped = ", ".join(f"{reason} {count}" for reason, count in sorted(totals.stopped.items()))
    table.add_row("stopped by", stopped or "nothing was searched")
    return table


def accuracy_lines(totals: Any) -> list[tuple[str, str]]:
    """Return the held-out accuracy as (name, figure): of the first and the best rubrics, with 95% intervals."""
    summary = totals.holdout
    if summary is None:
        return [("held-out accuracy", "none: no prompt has 4 candidates, or nothing was held out")]
    pools = ((summary.unseen, "of two hidden candidates"), (summary.touching, "with a hidden candidate"))
    lines = [("held-out accuracy", _accuracy(pooled, which)) for pooled, which in pools if pooled is not None]
    return [*lines, ("", f"the visible labels alone earn {summary.remembered:.1%} on pairs with a hidden candidate")]


def failures(failed: Mapping[str, str]) -> RenderableType:
    """Return the prompts that failed with their errors, one a line."""
    lines = [
        f"  {escape(name)}: {escape(' '.join(error.split()))}" for name, error in list(failed.items())[:SHOWN_FAILURES]
    ]
    more = [f"  and {len(failed) - SHOWN_FAILURES} more"] if len(failed) > SHOWN_FAILURES else []
    return Text.from_markup("\n".join([f"[bold red]{len(failed)} prompts failed[/]", *lines, *more]))


def best_panel(row: Row, *, lineage: bool = False) -> RenderableType:
    """Return a prompt's best rubric, its scores, and perhaps where it comes from."""
    head = Text.from_markup(f"[bold]{escape(row['prompt_id'])}[/]")
    best, initial = row["best"]["objective"], row["initial"]["objective"]
    head.append(
        f"  objective {initial:.3f} → {best:.3f}, {row['generations']} generations, stopped by {row['stopped']}"
        + ("" if row["status"] == "done" else f", {row['status']}")
    )
    parts: list[RenderableType] = [head, rubric_table(row["rubric"]), score_table(row)]
    if lineage:
        parts.append(Text("\nlineage"))
        parts.append(lineage_view(lineage_tree(row["lineage"])))
    return Group(*parts)


def rubric_table(criteria: Sequence[Row]) -> Table:
    """Return a rubric, the heaviest criterion first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("weight", justify="right")
    table.add_column("criterion", overflow="fold")
    for one in sorted(criteria, key=lambda one: -one["weight"]):
        text = Text(one["text"])
        if one["measure"] and one["measure"] not in one["text"]:
            text.append(f" ({one['measure']})", style="dim")
        table.add_row(f"{one['weight']:.0%}", text)
    return table


def score_table(row: Row) -> Table:
    """Return every candidate's score, the best first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("score", justify="right")
    table.add_column("candidate", overflow="fold")
    table.add_column("", style="dim")
    for one in sorted(row["candidate_scores"], key=lambda one: -(-1 if one["score"] is None else one["score"])):
        score = "unscored" if one["score"] is None else f"{one['score']:.3f}"
        table.add_row(score, escape(one["candidate_id"]), "held out" if one["is_hidden"] else "")
    return table


def lineage_view(steps: Iterable[Step]) -> Tree:
    """Return the way from the first rubric to the best as a tree."""
    tree = Tree("", hide_root=True)

    def grow(branch: Tree, children: Iterable[Step]) -> None:
        for child in children:
            grow(branch.add(escape(child.text)), child.children)

    grow(tree, steps)
    return tree


def counts_table(counts: Mapping[str, int], kinds: Sequence[str]) -> Table:
    """Return how many prompts are missing, failed, stale, incomplete, done, withdrawn."""
    table = plain_table()
    for kind in kinds:
        table.add_row(str(kind), str(counts.get(kind, 0)))
    return table


def dataset_summary(dataset: Any, references: Mapping[str, int]) -> RenderableType:
    """Return what a dataset holds, from its `Contents`, and what is to be said about it."""
    table = plain_table()
    table.add_row("prompts", str(dataset.prompts))
    table.add_row("candidates", f"{dataset.candidates} ({dataset.fewest} to {dataset.most} a prompt)")
    table.add_row("sources", str(len(dataset.sources)) if dataset.sources else "not given")
    table.add_row("reference", ", ".join(f"{name}: {count} prompts" for name, count in references.items()))
    table.add_row("rejected", str(len(dataset.rejected)))
    notes = [("fault", line) for line in dataset.faults] + [("warning", line) for line in dataset.warnings]
    lines = [Padding(Text(f"{kind}: {line}"), (0, 0, 0, 2)) for kind, line in notes]
    return Group(table, *lines)


def _accuracy(pooled: Any, which: str) -> str:
    figures = f"initial {pooled.initial}, best {pooled.best}, gain {pooled.gain.in_points} points"
    return f"{figures} ({pooled.pairs} pairs {which}, {pooled.prompts} prompts)"


def plain_table() -> Table:
    """Return a table of names and what is to be said of them."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
