"""The expected cost of a search: the estimate, and the confirmation of an expensive search."""

import sys

import typer
from rich.table import Table

from autosr_assets.cli.chosen_search import ChosenSearch
from autosr_assets.cli.exit_codes import ExitCode
from autosr_assets.cli.shared import stdout
from autosr_assets.cli.tables import headed_table
from autosr_lib.domain.wording import plural
from autosr_lib.errors import SettingsError
from autosr_lib.llm.estimate import ExpectedUsage
from autosr_lib.pipeline.expected_spending import Spending, expected_spending
from autosr_lib.storage.store import TableStore


def print_estimate(chosen: ChosenSearch, store: TableStore) -> None:
    """Print the expected spending of a search, without a model call."""
    spending = expected_spending(chosen.plan(store), store)
    console = stdout()
    prompts = plural(spending.prompts, "prompt")
    console.print(f"search {chosen.name}: {prompts} to search; this is an estimate, no model was called")
    if spending.reachable is not None:
        reachable = plural(spending.reachable, "prompt")
        console.print(f"scope global_batch: at most {reachable} can evolve; the others keep their initial population")
    if not spending.uses:
        console.print("no model is called: the heuristic backend costs nothing")
        return
    console.print(_spending_table(spending))
    console.print("Cached replies cost nothing; prompts that stop early cost less.", style="dim")


def confirm_cost(chosen: ChosenSearch, store: TableStore, *, is_agreed: bool) -> None:
    """Ask for confirmation if the expected cost exceeds `confirm_cost`. Without prices the cost is unknown.

    Raises:
        SettingsError: confirmation is needed and stdin is no terminal.
        Exit: the user declined.
    """
    llm = chosen.settings.backend.llm
    if is_agreed or not (llm.prices or chosen.dataset_settings.backend.llm.prices):
        return
    spending = expected_spending(chosen.plan(store), store)
    least_cost = sum(usage.cost or 0.0 for usage in spending.uses.values())
    if least_cost <= llm.confirm_cost:
        return
    message = f"the search is expected to cost about ${least_cost:.2f}, and confirm_cost is ${llm.confirm_cost:g}"
    if not sys.stdin.isatty():
        raise SettingsError(f"{message}; allowed: --yes, a higher --confirm-cost, or --max-cost")
    if not typer.confirm(f"autosr: {message}. Continue?", err=True):
        raise typer.Exit(ExitCode.DONE)


def _spending_table(spending: Spending) -> Table:
    table = headed_table()
    for title in ("role", "model"):
        table.add_column(title)
    for title in ("calls", "prompt tokens", "completion tokens", "cost"):
        table.add_column(title, justify="right")
    usages = spending.uses.values()
    for (role, _), usage in spending.uses.items():
        table.add_row(role.value, usage.model, *_figures(usage, usage.cost))
    total = ExpectedUsage(
        "",
        sum(usage.calls for usage in usages),
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
    )
    table.add_row("all", "", *_figures(total, spending.cost), style="bold")
    return table


def _figures(usage: ExpectedUsage, cost: float | None) -> list[str]:
    counts = [f"{round(count):,}" for count in (usage.calls, usage.prompt_tokens, usage.completion_tokens)]
    return [*counts, "no price" if cost is None and usage.calls else f"${cost or 0:,.2f}"]
