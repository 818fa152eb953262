"""The work of `autosr show`."""

from autosr_assets.cli.options.results import ShowOptions
from autosr_assets.cli.rubric_view import best_view, failures_view
from autosr_assets.cli.shared import open_store, stdout
from autosr_assets.cli.stored_searches import find_best
from autosr_lib.storage.tables.best_rubrics import BestRubricRow


def show(options: ShowOptions) -> None:
    """Print a prompt's best rubric, or the reason why there is none.

    Raises:
        SettingsError: the search or the prompt does not exist.
    """
    best = find_best(open_store(), options.prompt, options.name)
    console = stdout()
    others = f" (also in: {', '.join(best.other_searches)})" if best.other_searches else ""
    console.print(f"search {best.search}{others}", style="dim")
    if isinstance(best.row, BestRubricRow):
        console.print(best_view(best.row, show_lineage=True))
    else:
        console.print(failures_view({options.prompt: best.row.error or best.row.status}))
