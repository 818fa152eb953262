"""The work of `autosr show`."""

from autosr_assets.cli.options.results import ShowOptions
from autosr_assets.cli.reports import best_panel, failures
from autosr_assets.cli.shared import open_store, stdout
from autosr_assets.cli.stored_searches import find_best
from autosr_lib.storage.tables.best_rubrics import BestRubricRow


def show(options: ShowOptions) -> None:
    """Print a prompt's best rubric, or why there is none.

    Raises:
        SettingsError: there is no such search or prompt.
    """
    best = find_best(open_store(), options.prompt, options.name)
    console = stdout()
    others = f" (also in: {', '.join(best.other_searches)})" if best.other_searches else ""
    console.print(f"search {best.search}{others}", style="dim")
    if isinstance(best.row, BestRubricRow):
        console.print(best_panel(best.row, show_lineage=True))
    else:
        console.print(failures({options.prompt: best.row.error or best.row.status}))
