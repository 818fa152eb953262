"""What the command line says about money: an estimate, and the question before a dear search."""

import sys
from typing import TYPE_CHECKING

import typer

from autosr_assets.cli.shared import DONE, stdout
from autosr_lib.errors import SettingsError
from autosr_lib.llm.estimate import ExpectedUsage
from autosr_lib.pipeline.expected_spending import Spending, expected_spending

if TYPE_CHECKING:
    from rich.table import Table

    from autosr_assets.cli.chosen_search import ChosenSearch
    from autosr_lib.storage.store import TableStore


def print_estimate(chosen: "ChosenSearch", store: "TableStore") -> None:
    """Print what the search is expected to spend; nobody is asked."""
    spending = expected_spending(chosen.plan(store), store)
    console = stdout()
    console.print(f"search {chosen.name}: {spending.prompts} prompts to do; an estimate, nothing was asked")
    if spending.reachable is not None:
        console.print(
            f"scope global_batch: at most {spending.reachable} prompts can evolve; the others keep their first population"
        )
    if not spending.uses:
        console.print("no model is asked: the heuristic backend costs nothing")
        return
    console.print(_table(spending))
    console.print("Replies that are kept already cost nothing; prompts that stop early cost less.", style="dim")


def confirm_cost(chosen: "ChosenSearch", store: "TableStore", *, is_agreed: bool) -> None:
    """Ask before a search that is expected to cost more than `confirm_cost`; without prices nothing is known.

    Raises:
        SettingsError: there is nobody to ask.
        Exit: the answer was no.
    """
    llm = chosen.settings.backend.llm
    if is_agreed or not (llm.prices or chosen.dataset_settings.backend.llm.prices):
        return
    spending = expected_spending(chosen.plan(store), store)
    known = sum(use.cost or 0.0 for use in spending.uses.values())
    if known <= llm.confirm_cost:
        return
    said = f"the search is expected to cost about ${known:.2f}, and confirm_cost is ${llm.confirm_cost:g}"
    if not sys.stdin.isatty():
        raise SettingsError(f"{said}; allowed: --yes, a higher --confirm-cost, or --max-cost")
    if not typer.confirm(f"autosr: {said}. Go on?", err=True):
        raise typer.Exit(DONE)


def _table(spending: Spending) -> "Table":
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("role", "model"):
        table.add_column(name)
    for name in ("calls", "tokens sent", "tokens answered", "cost"):
        table.add_column(name, justify="right")
    for (role, _), use in spending.uses.items():
        table.add_row(role.value, use.model, *_figures(use, use.cost))
    if spending.uses:
        whole = ExpectedUsage(
            "",
            sum(use.calls for use in spending.uses.values()),
            sum(use.prompt_tokens for use in spending.uses.values()),
            sum(use.completion_tokens for use in spending.uses.values()),
        )
        table.add_row("all", "", *_figures(whole, spending.cost), style="bold")
    return table


def _figures(use: ExpectedUsage, cost: float | None) -> list[str]:
    counts = [f"{round(count):,}" for count in (use.calls, use.prompt_tokens, use.completion_tokens)]
    return [*counts, "no price" if cost is None and use.calls else f"${cost or 0:,.2f}"]
