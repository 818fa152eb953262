"""The work of `autosr compare`."""

from autosr_assets.cli.comparison_view import comparison_json, comparison_view
from autosr_assets.cli.options.results import CompareOptions
from autosr_assets.cli.shared import open_store, print_json, stdout
from autosr_assets.records.recorded_runs import dataset_of_all
from autosr_assets.steps.comparison import compare_searches


def compare(options: CompareOptions) -> None:
    """Print searches over one dataset side by side.

    Raises:
        SettingsError: a search has no recorded run, or the searches have different datasets.
    """
    store = open_store()
    comparison = compare_searches(store, dataset_of_all(store, options.searches), options.searches)
    if options.as_json:
        print_json(comparison_json(comparison))
    else:
        stdout().print(comparison_view(comparison))
