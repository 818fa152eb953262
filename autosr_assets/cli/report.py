"""The work of `autosr report`."""

import typer

from autosr_assets.cli.options.results import ReportOptions
from autosr_assets.cli.shared import open_store
from autosr_assets.cli.stored_searches import stored_searches
from autosr_assets.records.run_records import read_record
from autosr_assets.views.report import write_report
from autosr_lib.errors import SettingsError
from autosr_lib.results.outcomes import read_outcomes
from autosr_lib.results.summary import summarise
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.exports import read_export


def report(options: ReportOptions) -> None:
    """Write the HTML report of a search's last export again, from stored data, and print its path.

    Raises:
        SettingsError: the search has no export.
    """
    store, name = open_store(), options.name
    rows = store.read(TableName.rubric_export(name))
    if rows is None:
        searches = ", ".join(stored_searches(store)) or "none yet"
        raise SettingsError(f"name {name!r} is not a search with an export; there are {searches}")
    last = read_export(rows)
    target, manifest = read_record(last.path, last.run_id)
    dataset = store.stored(TableName.dataset(manifest["dataset_name"]))
    summary = summarise(outcome.row for outcome in read_outcomes(store, TableName.best_rubrics(name), dataset))
    typer.echo(str(write_report(store, target, manifest, summary)))
