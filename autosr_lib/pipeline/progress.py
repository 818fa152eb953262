"""Progress of a run: the interface that a runner reports to."""

from typing import Protocol

from autosr_lib.results.summary import SearchSummary


class Progress(Protocol):
    """Receives the progress of the steps of a run."""

    def expect(self, total: int) -> None:
        """Announce the total number of prompts of all runs of a search."""

    def begin(self, step: str, total: int) -> None:
        """Announce a step over `total` prompts."""

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """Report one finished prompt: computed or up to date, failed or not."""

    def end(self, step: str) -> None:
        """Report the end of a step."""

    def exported(self, summary: SearchSummary) -> None:
        """Report the summary of an export that was written."""


class NoProgress:
    """Ignores all progress."""

    def expect(self, total: int) -> None:
        """Do nothing."""

    def begin(self, step: str, total: int) -> None:
        """Do nothing."""

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """Do nothing."""

    def end(self, step: str) -> None:
        """Do nothing."""

    def exported(self, summary: SearchSummary) -> None:
        """Do nothing."""
