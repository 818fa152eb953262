"""The command `autosr report`."""

from typing import Annotated

import typer

from autosr_assets.cli.shared import Debug, open_store
from autosr_lib.errors import SettingsError


def report(
    name: Annotated[str, typer.Argument(help="Name of the search.")],
    *,
    _debug: Debug = False,
) -> None:
    """Write the HTML report of a search's last export again, from what is stored, and print where it is."""
    from autosr_assets.cli.stored_searches import stored_searches  # noqa: PLC0415
    from autosr_assets.records.run_records import read_record  # noqa: PLC0415
    from autosr_assets.steps.export import EXPORT  # noqa: PLC0415
    from autosr_assets.views.report import write_report  # noqa: PLC0415
    from autosr_lib.results.outcomes import read_outcomes  # noqa: PLC0415
    from autosr_lib.results.summary import summarise  # noqa: PLC0415
    from autosr_lib.storage.tables.exports import read_export  # noqa: PLC0415

    store = open_store()
    rows = store.read(f"{name}/{EXPORT}")
    if rows is None:
        names = ", ".join(stored_searches(store)) or "none yet"
        raise SettingsError(f"name {name!r} is no search with an export; allowed: {names}")
    last = read_export(rows)
    target, manifest = read_record(last.path, last.run_id)
    dataset = store.stored(f"{manifest['dataset_name']}/dataset")
    summary = summarise(outcome.row for outcome in read_outcomes(store, f"{name}/best_rubrics", dataset))
    typer.echo(str(write_report(store, target, manifest, summary)))
