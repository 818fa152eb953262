"""Loading the rubrics that a command grades with, and the progress bar of its work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autosr_assets.cli.options.grading import GradingOptions
from autosr_assets.runtime.home import cache_location
from autosr_lib.reward.rubrics import Rubrics

_NOT_SETTINGS = {"rubrics", "which", "votes"}


def load_rubrics(options: GradingOptions) -> Rubrics:
    """Return the rubrics of an export; their replies are cached where those of searches are.

    Raises:
        SettingsError: the file is no export, an option is impossible, or a model is needed and there is no API key.
        TemplateError: the exported template has a fault.
    """
    names = [option.name for option in fields(GradingOptions) if option.name not in _NOT_SETTINGS]
    settings = {name: value for name in names if (value := getattr(options, name)) is not None}
    rubrics = Rubrics.load(str(options.rubrics), which=options.which, votes=options.votes, settings=settings)
    return rubrics.with_cache(cache_location(rubrics.backend.llm.cache_dir))


@contextmanager
def progress_bar(total: int, unit: str) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr; yield the function to call after each finished item."""
    columns = (TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(unit, total=total)
        yield lambda: progress.advance(task)
