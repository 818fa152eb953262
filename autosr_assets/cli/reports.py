"""What the command line prints: the outcome of a search, one prompt's rubric, a dataset's summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from autosr_assets.views.lineage import Step, lineage_tree
from autosr_assets.views.rubric_text import best_scores_first, heaviest_first, score_text, shown_measure
from autosr_lib.domain.wording import plural

if TYPE_CHECKING:  # slow to import
    from autosr_assets.cli.launch import SearchOutcome
    from autosr_lib.evaluation.holdout import PairSummary
    from autosr_lib.results.summary import SearchSummary
    from autosr_lib.results.totals import Totals
    from autosr_lib.storage.datasets import DatasetFindings
    from autosr_lib.storage.tables.best_rubrics import BestRubricRow, CandidateScore
    from autosr_lib.storage.tables.structs import RubricRows

SHOWN_FAILURES = 20


class Bars:
    """One progress bar per step, also where a step runs in several chunks."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._expected = 0

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:
            self._bars.stop()

    def expect(self, total: int) -> None:
        """Announce that all runs together process this many prompts."""
        self._expected = total

    def begin(self, step: str, total: int) -> None:
        """Show the bar of a step over `total` prompts."""
        self._bars.start()  # not earlier: rich prints an empty line even without any bar
        if step not in self._tasks:
            self._counts[step] = Counter()
            self._tasks[step] = self._bars.add_task(step, total=max(total, self._expected), counts="")

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """Count a prompt that was processed: computed or unchanged, failed or not."""
        counts = self._counts[step]
        counts["failed" if is_failed else "new" if is_new else "unchanged"] += 1
        text = ", ".join(f"{counts[kind]} {kind}" for kind in ("failed", "unchanged") if counts[kind])
        self._bars.update(self._tasks[step], advance=1, counts=text)

    def end(self, step: str) -> None:
        """End a step; its bar stays."""

    def exported(self, summary: SearchSummary) -> None:
        """Show nothing: the outcome of the search is printed at the end."""


def print_outcome(console: Console, outcome: SearchOutcome, *, name: str, locations: Mapping[str, str]) -> None:
    """Print the outcome of a search: the best rubrics, figures, failures, and where everything was written."""
    totals = outcome.totals
    for row in outcome.rows:
        console.print(best_panel(row))
        console.print()
    console.print(totals_table(totals))
    if totals.failed:
        console.print(failures(totals.failed))
    if totals.rubrics > len(outcome.rows):
        console.print(f"\nOne prompt's rubric, scores and lineage: autosr show PROMPT --name {name}", highlight=False)
    console.print()
    for title, location in locations.items():
        console.print(f"{title + ':':<12}{escape(location)}", highlight=False, soft_wrap=True)


def totals_table(totals: Totals) -> RenderableType:
    """Return the figures of a complete search, as its export has them."""
    table = plain_table()
    table.add_row("prompts", f"{totals.prompts}: {totals.rubrics} with a rubric, {len(totals.failed)} failed")
    if totals.incomplete:
        table.add_row("incomplete", f"{totals.incomplete}: some requests were not answered; the next run repeats them")
    for title, figure in accuracy_lines(totals):
        table.add_row(title, figure)
    calls = totals.calls
    table.add_row(
        "calls",
        f"initializer {calls.initializer}, proposer {calls.proposer}, verifier {calls.verifier}, "
        f"judge {totals.judge_calls}",
    )
    if calls.saved_by_bank or calls.saved_by_racing:
        table.add_row("calls saved", f"by the bank {calls.saved_by_bank}, by the racing {calls.saved_by_racing}")
    table.add_row("stopped by", totals.stop_counts or "nothing was searched")
    return table


def accuracy_lines(totals: Totals) -> list[tuple[str, str]]:
    """Return the held-out accuracy of the first and the best rubrics as (title, figure), with 95% intervals."""
    summary = totals.holdout
    if summary is None:
        return [("held-out accuracy", "none: no prompt has 4 candidates, or nothing was held out")]
    pools = ((summary.unseen, "of two hidden candidates"), (summary.touching, "with a hidden candidate"))
    lines = [("held-out accuracy", _accuracy(pooled, which)) for pooled, which in pools if pooled is not None]
    return [*lines, ("", f"the visible labels alone earn {summary.remembered:.1%} on pairs with a hidden candidate")]


def failures(failed: Mapping[str, str]) -> RenderableType:
    """Return the prompts that failed with their errors, one per line."""
    lines = [
        f"  {escape(name)}: {escape(' '.join(error.split()))}" for name, error in list(failed.items())[:SHOWN_FAILURES]
    ]
    more = [f"  and {len(failed) - SHOWN_FAILURES} more"] if len(failed) > SHOWN_FAILURES else []
    return Text.from_markup("\n".join([f"[bold red]{plural(len(failed), 'prompt')} failed[/]", *lines, *more]))


def best_panel(row: BestRubricRow, *, show_lineage: bool = False) -> RenderableType:
    """Return a prompt's best rubric and its candidates' scores, and the rubric's lineage if that is wanted."""
    head = Text.from_markup(f"[bold]{escape(row.prompt_id)}[/]")
    head.append(
        f"  objective {row.initial.objective:.3f} → {row.best.objective:.3f}, "
        f"{plural(row.generations, 'generation')}, stopped by {row.stopped}"
        + ("" if row.is_complete else f", {row.status}")
    )
    parts: list[RenderableType] = [head, rubric_table(row.rubric), score_table(row.candidate_scores)]
    if show_lineage:
        parts.append(Text("\nlineage"))
        parts.append(lineage_view(lineage_tree(row.lineage)))
    return Group(*parts)


def rubric_table(criteria: RubricRows) -> Table:
    """Return a rubric as a table, the heaviest criterion first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("weight", justify="right")
    table.add_column("criterion", overflow="fold")
    for criterion in heaviest_first(criteria):
        text = Text(criterion.text)
        if measure := shown_measure(criterion):
            text.append(f" ({measure})", style="dim")
        table.add_row(f"{criterion.weight:.0%}", text)
    return table


def score_table(scores: Iterable[CandidateScore]) -> Table:
    """Return every candidate's score as a table, the best first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("score", justify="right")
    table.add_column("candidate", overflow="fold")
    table.add_column("", style="dim")
    for score in best_scores_first(scores):
        hidden = "held out" if score.is_hidden else ""
        table.add_row(score_text(score.score), escape(score.candidate_id), hidden)
    return table


def lineage_view(steps: Iterable[Step]) -> Tree:
    """Return a lineage as a tree."""
    tree = Tree("", hide_root=True)

    def grow(branch: Tree, children: Iterable[Step]) -> None:
        for child in children:
            grow(branch.add(escape(child.text)), child.children)

    grow(tree, steps)
    return tree


def counts_table(counts: Mapping[str, int], kinds: Sequence[str]) -> Table:
    """Return how many prompts are missing, failed, stale, incomplete, done and withdrawn."""
    table = plain_table()
    for kind in kinds:
        table.add_row(str(kind), str(counts.get(kind, 0)))
    return table


def dataset_summary(findings: DatasetFindings, references: Mapping[str, int]) -> RenderableType:
    """Return what a dataset contains, with its faults and warnings.

    Args:
        findings: of the dataset's file.
        references: number of prompts by who gives their preferences.
    """
    table = plain_table()
    table.add_row("prompts", str(findings.prompts))
    table.add_row(
        "candidates", f"{findings.candidates} ({findings.fewest_candidates} to {findings.most_candidates} a prompt)"
    )
    table.add_row("sources", str(len(findings.sources)) if findings.sources else "not given")
    table.add_row("reference", ", ".join(f"{name}: {plural(count, 'prompt')}" for name, count in references.items()))
    table.add_row("rejected", str(len(findings.rejected)))
    notes = [("fault", line) for line in findings.faults] + [("warning", line) for line in findings.warnings]
    lines = [Padding(Text(f"{kind}: {line}"), (0, 0, 0, 2)) for kind, line in notes]
    return Group(table, *lines)


def _accuracy(summary: PairSummary, which: str) -> str:
    figures = f"initial {summary.initial}, best {summary.best}, gain {summary.gain.in_points} points"
    return f"{figures} ({plural(summary.pairs, 'pair')} {which}, {plural(summary.prompts, 'prompt')})"


def plain_table() -> Table:
    """Return an empty table of names and values, without a heading."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table
