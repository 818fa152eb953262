"""Progress of a run: the interface that a runner reports to."""

from typing import Protocol


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
