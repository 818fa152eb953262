"""Progress of a run: the interface that a runner reports to."""

from typing import Protocol

from autosr_lib.results.summary import SearchSummary


class Progress(Protocol):
    """Receives how far the steps of a run are."""

    def expect(self, total: int) -> None:
        """Announce how many prompts all runs of a search cover together."""

    def begin(self, step: str, total: int) -> None:
        """Announce a step over `total` prompts."""

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """Report one finished prompt: computed or up to date, failed or not."""

    def end(self, step: str) -> None:
        """Report the end of a step."""

    def exported(self, summary: SearchSummary) -> None:
        """Report what the rows of a written export add up to."""


class NoProgress:
    """Progress that nobody watches."""

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
