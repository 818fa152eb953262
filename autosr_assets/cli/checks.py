"""The work of `autosr checks`."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from autosr_assets.checks.check_results import FAILED, NOT_RUN, WARNING, CheckResult, check_results
from autosr_assets.cli.exit_codes import ExitCode
from autosr_assets.cli.options.results import ChecksOptions
from autosr_assets.cli.shared import open_store, print_json, stdout
from autosr_assets.cli.tables import headed_table
from autosr_assets.records.recorded_runs import datasets_of


def checks(options: ChecksOptions) -> None:
    """Print the latest results of the checks of searches.

    Raises:
        SettingsError: a search has no recorded run.
        Exit: a check failed or has not run.
    """
    datasets = datasets_of(open_store(), options.names or None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dagster warns about its beta features
        results = check_results(datasets.items())
    if options.as_json:
        print_json([asdict(result) for result in results])
    else:
        stdout().print(_results_view(results))
    failures = {FAILED, NOT_RUN, WARNING} if options.strict else {FAILED, NOT_RUN}
    if any(result.result in failures for result in results):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _results_view(results: Sequence[CheckResult]) -> RenderableType:
    """Return a table of the results, and below it the faults that the checks found."""
    table = headed_table()
    for title in ("result", "asset", "check", "prompts at fault"):
        table.add_column(title, overflow="fold")
    colours = {"passed": "green", "warning": "yellow"}
    parts: list[RenderableType] = [table]
    for result in results:
        count = result.metadata.get("prompts_at_fault")
        colour = colours.get(result.result, "bold red")
        table.add_row(Text(result.result, colour), result.asset, result.check, str(count or ""))
        if result.result != "passed" and result.metadata.get("at_fault"):
            parts.append(Text(f"\n{result.asset}: {result.check}\n{result.metadata['at_fault']}"))
    return Group(*parts)
