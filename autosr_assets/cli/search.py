"""The work of `autosr search`."""

import os

import typer
from rich.console import Console

from autosr_assets.cli.chosen_search import ChosenSearch, search_of_file, search_of_yaml
from autosr_assets.cli.exit_codes import ExitCode
from autosr_assets.cli.launch import Launch, SearchOutcome
from autosr_assets.cli.options.search import SearchOptions
from autosr_assets.cli.options.setting_values import read_setting_values
from autosr_assets.cli.progress_bars import SearchBars
from autosr_assets.cli.search_view import counts_table, print_outcome
from autosr_assets.cli.shared import open_store, show_warnings, stdout
from autosr_assets.cli.spending import confirm_cost, print_estimate
from autosr_assets.records.given_settings import GivenSettings
from autosr_assets.records.settings_file import read_settings
from autosr_assets.runtime.home import dagster_home
from autosr_lib.domain.wording import plural
from autosr_lib.errors import SettingsError
from autosr_lib.pipeline.expected_spending import call_shares
from autosr_lib.pipeline.pending import KINDS
from autosr_lib.pipeline.progress import NoProgress
from autosr_lib.search.profiles import profile_settings
from autosr_lib.search.settings import Mode
from autosr_lib.storage.store import TableStore

MAX_SHOWN = 5
"""Maximum number of prompts of a search whose best rubrics are all printed."""


def search(options: SearchOptions) -> None:
    """Run a search in this process, or only count or estimate the pending work.

    Raises:
        AutosrError: the options, the settings, the dataset or the machine do not allow the search.
        Exit: a prompt failed, or the user does not accept the cost.
    """
    given_settings = _given_settings(options)
    store = open_store()
    chosen = _choose_search(options, given_settings, store)
    _note_call_shares(chosen)
    if options.dry_run:
        _print_counts(chosen, store)
        return
    if options.estimate:
        print_estimate(chosen, store)
        return
    confirm_cost(chosen, store, is_agreed=options.yes)
    show_warnings(is_verbose=options.verbose)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    with SearchBars(Console(stderr=True)) as bars:
        launch = Launch(chosen, store, bars, "DEBUG" if options.verbose else "CRITICAL")
        outcome = launch.run(options.chunk_size, MAX_SHOWN)
    _print_results(chosen, store, outcome)
    if outcome.totals.failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _given_settings(options: SearchOptions) -> GivenSettings:
    """Return the settings from the options, the settings file and the profile, in this order of precedence.

    Raises:
        SettingsError: `--formal` is combined with a backend that uses no model, or the settings file cannot be used.
    """
    values = dict(options.setting_values)
    if options.iterations is not None and values.get("mode") == Mode.ITERATIVE:
        values["generations"] = options.iterations  # commands of the original system may contain both
    elif options.iterations is not None:
        _print_note(f"iterations {options.iterations} has no effect without --mode iterative")
    if options.formal:
        backend = values.get("backend", "llm")
        if backend not in ("llm", "auto"):
            raise SettingsError(f"backend is {backend!r}, but --formal requires models; must be 'llm'")
        values["backend"] = "llm"
    given_settings = read_setting_values(values)
    if options.settings is not None:
        given_settings = read_settings(options.settings).updated_with(given_settings)
    mode = Mode.ITERATIVE if given_settings.structure.get("mode") == Mode.ITERATIVE else Mode.EVOLUTIONARY
    return GivenSettings.from_dotted(profile_settings(options.profile, mode)).updated_with(given_settings)


def _choose_search(options: SearchOptions, given_settings: GivenSettings, store: TableStore) -> ChosenSearch:
    """Return the search of the given dataset's file, or the one that the given folder of `defs/` defines.

    Raises:
        SettingsError: neither or both are given, or the search cannot be run with these settings.
    """
    if options.dataset is not None and options.defined is None:
        return search_of_file(options.dataset, options.name, given_settings, store)
    if options.dataset is not None or options.defined is None:
        raise SettingsError("nothing to search; give either a dataset's file, or --search with a folder of defs/")
    if options.name is not None:
        raise SettingsError(
            f"name {options.name!r} is only for a dataset's file; the search {options.defined!r} has its own name"
        )
    return search_of_yaml(options.defined, given_settings)


def _note_call_shares(chosen: ChosenSearch) -> None:
    """Print how `max_calls` is divided among the prompts.

    Raises:
        SettingsError: a prompt's share is too small for an initial rubric.
    """
    shares = call_shares(chosen.settings, chosen.dataset_settings)
    if shares is not None:
        calls = f"{shares.least}" if shares.least == shares.most else f"{shares.least} to {shares.most}"
        prompts = plural(shares.prompts, "prompt")
        _print_note(
            f"max_calls {shares.max_calls} is divided: {prompts}, {calls} calls each, as with max_calls_per_prompt"
        )


def _print_note(note: str) -> None:
    typer.echo(f"autosr: note: {note}", err=True)


def _print_counts(chosen: ChosenSearch, store: TableStore) -> None:
    pending = Launch(chosen, store, NoProgress()).survey()
    console = stdout()
    console.print(f"search {chosen.name}: {plural(len(pending.keys), 'prompt')} to search; nothing was run")
    console.print(counts_table(pending.counts, KINDS))


def _print_results(chosen: ChosenSearch, store: TableStore, outcome: SearchOutcome) -> None:
    console = stdout()
    if not outcome.pending.keys:
        count = outcome.totals.rubrics
        prompts = f"The only prompt of {chosen.name} is" if count == 1 else f"All {count} prompts of {chosen.name} are"
        console.print(f"{prompts} up to date.\n")
    locations = {
        "export": outcome.target,
        "tables": str(store.root / chosen.name),
        "web UI": f"make ui, or: DAGSTER_HOME={dagster_home()} dagster dev -w workspace.yaml",
    }
    print_outcome(console, outcome, name=chosen.name, locations=locations)
