"""The outcome of a search as text."""

from collections.abc import Mapping, Sequence

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table

from autosr_assets.cli.launch import SearchOutcome
from autosr_assets.cli.rubric_view import best_view, failures_view
from autosr_assets.cli.tables import plain_table
from autosr_lib.domain.wording import plural
from autosr_lib.evaluation.holdout import PairSummary
from autosr_lib.results.totals import Totals


def print_outcome(console: Console, outcome: SearchOutcome, *, name: str, locations: Mapping[str, str]) -> None:
    """Print the outcome of a search: the best rubrics, figures, failures, and where the results are.

    Args:
        console: where to print.
        outcome: of the search.
        name: of the search.
        locations: where the results are, by title.
    """
    totals = outcome.totals
    for row in outcome.rows:
        console.print(best_view(row))
        console.print()
    console.print(_totals_table(totals))
    if totals.failed:
        console.print(failures_view(totals.failed))
    if totals.rubrics > len(outcome.rows):
        console.print(
            f"\nThe rubric, scores and lineage of one prompt: autosr show PROMPT --name {name}", highlight=False
        )
    console.print()
    for title, location in locations.items():
        console.print(f"{title + ':':<12}{escape(location)}", highlight=False, soft_wrap=True)


def _totals_table(totals: Totals) -> RenderableType:
    """Return the figures of a search; its export contains the same."""
    table = plain_table()
    table.add_row("prompts", f"{totals.prompts}: {totals.rubrics} with a rubric, {len(totals.failed)} failed")
    if totals.incomplete:
        table.add_row("incomplete", f"{totals.incomplete}: some requests were not answered; the next run repeats them")
    for title, figure in _accuracy_lines(totals):
        table.add_row(title, figure)
    calls = totals.calls
    table.add_row(
        "calls",
        f"initializer {calls.initializer}, proposer {calls.proposer}, verifier {calls.verifier}, "
        f"judge {totals.judge_calls}",
    )
    if calls.saved_by_bank or calls.saved_by_racing:
        table.add_row("calls saved", f"by the bank {calls.saved_by_bank}, by racing {calls.saved_by_racing}")
    table.add_row("stopped by", totals.stop_counts or "nothing was searched")
    return table


def _accuracy_lines(totals: Totals) -> list[tuple[str, str]]:
    """Return the held-out accuracy of the first and the best rubrics as (title, figure), with 95% intervals."""
    summary = totals.holdout
    if summary is None:
        return [("held-out accuracy", "none: no prompt has 4 candidates, or nothing was held out")]
    pools = ((summary.unseen, "of two hidden candidates"), (summary.touching, "with a hidden candidate"))
    lines = [("held-out accuracy", _accuracy(pooled, pairs)) for pooled, pairs in pools if pooled is not None]
    return [*lines, ("", f"the visible labels alone earn {summary.remembered:.1%} on pairs with a hidden candidate")]


def _accuracy(summary: PairSummary, pairs: str) -> str:
    figures = f"initial {summary.initial}, best {summary.best}, gain {summary.gain.in_points} points"
    return f"{figures} ({plural(summary.pairs, 'pair')} {pairs}, {plural(summary.prompts, 'prompt')})"


def counts_table(counts: Mapping[str, int], kinds: Sequence[str]) -> Table:
    """Return the number of prompts of each kind: missing, failed, stale, incomplete, done and withdrawn."""
    table = plain_table()
    for kind in kinds:
        table.add_row(str(kind), str(counts.get(kind, 0)))
    return table
