"""The work of `autosr runs list`, `autosr runs show` and `autosr runs diff`."""

from autosr_assets.cli.options.results import DiffRunsOptions, ListRunsOptions, ShowRunOptions
from autosr_assets.cli.run_difference_view import difference_json, difference_view
from autosr_assets.cli.run_view import run_view, runs_table
from autosr_assets.cli.shared import open_store, print_json, stdout
from autosr_assets.records.recorded_runs import all_manifests, compare_runs, find_run, runs_to_compare


def list_runs(options: ListRunsOptions) -> None:
    """Print the recorded runs, the latest first.

    Raises:
        SettingsError: the named search has no recorded run.
    """
    manifests = all_manifests(open_store(), options.name)
    shown = manifests[: options.limit]
    if options.as_json:
        print_json(shown)
        return
    stdout().print(runs_table(shown))
    if len(manifests) > len(shown):
        stdout().print(f"and {len(manifests) - len(shown)} earlier: --limit {len(manifests)}", style="dim")


def show_run(options: ShowRunOptions) -> None:
    """Print the settings and results of a run.

    Raises:
        SettingsError: the run does not exist.
    """
    manifest = find_run(all_manifests(open_store()), options.run)
    if options.as_json:
        print_json(manifest)
    else:
        stdout().print(run_view(manifest))


def diff_runs(options: DiffRunsOptions) -> None:
    """Print how two runs differ.

    Raises:
        SettingsError: a run is not recorded, or there is no second run to compare with.
    """
    store = open_store()
    run_difference = compare_runs(store, *runs_to_compare(all_manifests(store), options.first, options.second))
    if options.as_json:
        print_json(difference_json(run_difference))
    else:
        stdout().print(difference_view(run_difference))
