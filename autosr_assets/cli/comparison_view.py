"""Searches over one dataset side by side, as text and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from autosr_assets.cli.run_view import format_share
from autosr_assets.cli.tables import headed_table, plain_table
from autosr_assets.steps.comparison import ComparedSearches
from autosr_lib.domain.wording import plural
from autosr_lib.evaluation.holdout import PairSummary


def comparison_view(comparison: ComparedSearches) -> RenderableType:
    """Return the figures of each search, and each search compared with the first."""
    figures = headed_table()
    figures.add_column("search", no_wrap=True)
    for title in ("rubrics", "unseen pairs", "touching pairs", "calls", "tokens", "cost"):
        figures.add_column(title, justify="right")
    for search in comparison.searches:
        accuracies = ["" if summary is None else str(summary.best) for summary in (search.unseen, search.touching)]
        spent = (f"{search.spent.tokens:,}", f"${search.spent.cost:,.2f}")
        rubrics = format_share(search.rubrics, comparison.prompts)
        figures.add_row(escape(search.name), rubrics, *map(escape, accuracies), f"{search.calls:,}", *spent)
    differences = plain_table()
    for name, difference in comparison.differences.items():
        title = f"{name} − {comparison.searches[0].name}"
        differences.add_row(title, f"{difference.paired} of {comparison.prompts} prompts compared")
        for pool, summary in (("unseen", difference.unseen), ("touching", difference.touching)):
            if summary is not None:
                gain = escape(summary.gain.in_points + " points")
                differences.add_row("", f"{pool}: {gain} ({plural(summary.pairs, 'pair')})")
    note = Text(
        "touching pairs favour a rubric that remembers labels; objectives are not accuracies and are not compared",
        "dim",
    )
    return Group(figures, Text(), differences, note)


def comparison_json(comparison: ComparedSearches) -> dict[str, Any]:
    """Return the comparison as JSON."""
    return {
        "prompts": comparison.prompts,
        "searches": [
            {
                "search": search.name,
                "rubrics": search.rubrics,
                "unseen_accuracy": None if search.unseen is None else search.unseen.best._asdict(),
                "touching_accuracy": None if search.touching is None else search.touching.best._asdict(),
                "calls": search.calls,
                "spent": asdict(search.spent),
            }
            for search in comparison.searches
        ],
        "against_the_first": {
            name: {
                "prompts_compared": difference.paired,
                "unseen_pairs": pairs_json(difference.unseen),
                "pairs_touching_hidden": pairs_json(difference.touching),
            }
            for name, difference in comparison.differences.items()
        },
    }


def pairs_json(summary: PairSummary | None) -> dict[str, Any] | None:
    """Return two accuracies on the same pairs and their difference as JSON, with 95% intervals."""
    if summary is None:
        return None
    figures = {"first": summary.initial, "second": summary.best, "difference": summary.gain}
    return {
        "prompts": summary.prompts,
        "pairs": summary.pairs,
        **{name: figure._asdict() for name, figure in figures.items()},
    }
