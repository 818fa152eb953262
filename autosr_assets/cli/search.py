"""The command `autosr search`, with an option for every setting."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

from autosr_assets.cli.options import Told, sorted_by_owner, told_settings, with_settings
from autosr_assets.cli.shared import SOME_FAILED, Debug, open_store, stdout, tell_warnings
from autosr_lib.errors import SettingsError
from autosr_lib.search.profiles import PROFILES, profile_settings
from autosr_lib.search.settings import Mode

if TYPE_CHECKING:
    from autosr_assets.cli.chosen_search import ChosenSearch
    from autosr_lib.storage.store import TableStore

ALL_SHOWN = 5
"""Prompts up to which all best rubrics are printed."""

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
@with_settings
def search(
    dataset: Annotated[str | None, typer.Argument(help="File of prompts: JSON, JSON Lines, CSV or Parquet.")] = None,
    *,
    name: Annotated[str | None, typer.Option(help="Name of the search; by default the file's stem.")] = None,
    defined: Annotated[
        str | None, typer.Option("--search", help="Run the search that this folder of autosr_assets/defs/ defines.")
    ] = None,
    iterations: Annotated[
        str | None,
        typer.Option(help="Rounds in mode iterative: its generations.", metavar="WHOLE", rich_help_panel="Structure"),
    ] = None,
    profile: Annotated[
        str, typer.Option(help=f"Which defaults: {', '.join(PROFILES)}; options that are given win.")
    ] = "default",
    settings: Annotated[
        Path | None,
        typer.Option(help="File of settings, YAML or JSON; also the manifest of a run. Options that are given win."),
    ] = None,
    formal: Annotated[
        bool, typer.Option("--formal", metavar="", help="Ask models, never heuristics; needs the key.")
    ] = False,
    chunk_size: Annotated[
        int,
        typer.Option(
            min=1, metavar="WHOLE", help="Most prompts of one Dagster run. [default: 1000]", show_default=False
        ),
    ] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only count what there is to do.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", metavar="", help="Only reckon calls, tokens and cost; no model is asked.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar="", help="Do not ask before a search above confirm_cost.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Show Dagster's log.")] = False,
    _debug: Debug = False,
    **given: Any,
) -> None:
    """Search for the best rubric of every prompt of a dataset.

    What is done already is not done again: the same command goes on where the last one ended.
    """
    told = _told(given, iterations=iterations, profile=profile, formal=formal, file=settings)
    if (dataset is None) == (defined is None):
        raise SettingsError("nothing to search; give a dataset's file, or --search with a folder of defs/, not both")
    if defined is not None and name is not None:
        raise SettingsError(f"name {name!r} is for a file; the search {defined!r} has its own")
    from autosr_assets.cli.chosen_search import search_of_file, search_of_yaml  # noqa: PLC0415

    store = open_store()
    chosen = search_of_yaml(str(defined), told) if dataset is None else search_of_file(dataset, name, told, store)
    from autosr_lib.pipeline.expected_spending import call_shares  # noqa: PLC0415

    if (shares := call_shares(chosen.settings, chosen.dataset_settings)) is not None:
        calls = f"{shares.least}" if shares.least == shares.most else f"{shares.least} to {shares.most}"
        note = f"max_calls {shares.max_calls} gives each of {shares.prompts} prompts {calls} calls"
        typer.echo(f"autosr: note: {note}, as max_calls_per_prompt would", err=True)
    if dry_run:
        _print_counts(chosen, store)
        return
    from autosr_assets.cli.spending import confirm_cost, print_estimate  # noqa: PLC0415

    if estimate:
        print_estimate(chosen, store)
        return
    confirm_cost(chosen, store, is_agreed=yes)
    _run_search(chosen, store, chunk_size, is_verbose=verbose)


def _told(given: Mapping[str, Any], *, iterations: str | None, profile: str, formal: bool, file: Path | None) -> Told:
    """Return the settings that were given, with those that a file and other options stand for.

    Raises:
        SettingsError: heuristics are asked for, and models only.
    """
    known = dict(given)
    if iterations is not None and known.get("mode") == Mode.ITERATIVE:
        known["generations"] = iterations  # a command of the seed system may name both
    elif iterations is not None:
        typer.echo(f"autosr: note: iterations {iterations} changes nothing without --mode iterative", err=True)
    if formal:
        backend = known.get("backend") or "llm"
        if backend not in ("llm", "auto"):
            raise SettingsError(f"backend is {backend!r}, but --formal asks models; must be 'llm'")
        known["backend"] = "llm"
    told = told_settings(known)
    if file is not None:
        from autosr_assets.records.settings_file import read_settings  # noqa: PLC0415

        told = read_settings(file).overlaid(told)
    mode = Mode.ITERATIVE if told.structure.get("mode") == Mode.ITERATIVE else Mode.EVOLUTIONARY
    usual = sorted_by_owner(profile_settings(profile, mode))
    return usual.overlaid(told)


def _print_counts(chosen: "ChosenSearch", store: "TableStore") -> None:
    from autosr_assets.cli.launch import Launch  # noqa: PLC0415
    from autosr_assets.cli.reports import counts_table  # noqa: PLC0415
    from autosr_lib.pipeline.pending import KINDS  # noqa: PLC0415
    from autosr_lib.pipeline.progress import NoProgress  # noqa: PLC0415

    pending = Launch(chosen, store, NoProgress()).survey()
    console = stdout()
    console.print(f"search {chosen.name}: {len(pending.keys)} prompts to do; nothing was run")
    console.print(counts_table(pending.counts, KINDS))


def _run_search(chosen: "ChosenSearch", store: "TableStore", chunk_size: int, *, is_verbose: bool) -> None:
    from rich.console import Console  # noqa: PLC0415

    from autosr_assets.cli.launch import Launch  # noqa: PLC0415
    from autosr_assets.cli.reports import Bars, print_outcome  # noqa: PLC0415
    from autosr_assets.runtime.home import dagster_home  # noqa: PLC0415

    tell_warnings(is_verbose=is_verbose)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    with Bars(Console(stderr=True)) as bars:
        launch = Launch(chosen, store, bars, "DEBUG" if is_verbose else "CRITICAL")
        outcome = launch.run(chunk_size, ALL_SHOWN + 1)
    if not outcome.pending.keys:
        stdout().print(f"All {outcome.totals.rubrics} prompts of {chosen.name} are up to date.\n")
    if outcome.totals.rubrics > ALL_SHOWN:
        outcome.rows.clear()
    paths = {
        "export": outcome.target,
        "tables": str(store.root / chosen.name),
        "web UI": f"make ui, or: DAGSTER_HOME={dagster_home()} dagster dev -w workspace.yaml",
    }
    print_outcome(stdout(), outcome, name=chosen.name, paths=paths)
    if outcome.totals.failed:
        raise typer.Exit(SOME_FAILED)


command = typer.main.get_command(app)
