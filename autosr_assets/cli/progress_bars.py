"""Progress bars on stderr."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from autosr_lib.results.summary import SearchSummary


class SearchBars:
    """Progress bars of a search: one for each step, even if several runs share the step."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._expected = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:
            self._bars.stop()

    def expect(self, total: int) -> None:
        """Announce how many prompts all runs process in total."""
        self._expected = total

    def begin(self, step: str, total: int) -> None:
        """Show the bar of a step over `total` prompts."""
        self._bars.start()  # not earlier, because rich prints an empty line even if there is no bar
        if step not in self._tasks:
            self._counts[step] = Counter()
            self._tasks[step] = self._bars.add_task(step, total=max(total, self._expected), counts="")

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """Count a prompt that was processed: computed or unchanged, failed or not."""
        counts = self._counts[step]
        counts["failed" if is_failed else "new" if is_new else "unchanged"] += 1
        text = ", ".join(f"{counts[kind]} {kind}" for kind in ("failed", "unchanged") if counts[kind])
        self._bars.update(self._tasks[step], advance=1, counts=text)

    def end(self, step: str) -> None:
        """End a step; its bar stays."""

    def exported(self, summary: SearchSummary) -> None:
        """Show nothing; the outcome is printed when the search has ended."""


@contextmanager
def progress_bar(total: int, unit: str) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr; yield the function to call after each finished item."""
    columns = (TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(unit, total=total)
        yield lambda: progress.advance(task)
