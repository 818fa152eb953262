"""A preference between two candidates of one prompt."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Verdict(StrEnum):
    """Which candidate of a (first, second) pair is better."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"

    @property
    def swapped(self) -> "Verdict":
        """Return the same verdict for the pair in reverse order.

        >>> Verdict.FIRST.swapped
        <Verdict.SECOND: 'second'>
        """
        return {Verdict.FIRST: Verdict.SECOND, Verdict.SECOND: Verdict.FIRST, Verdict.TIE: Verdict.TIE}[self]


class Preference(BaseModel):
    """A preference between two candidates, from labels or from the judge.

    The judge sees each pair in both orders. If its two verdicts disagree, the verdict is a tie.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: str
    """Id of the first candidate."""
    second: str
    """Id of the second candidate."""
    verdict: Verdict
    forward: Verdict | None = None
    """The judge's verdict on the pair shown as (first, second); None for labels."""
    backward: Verdict | None = None
    """Its verdict on the pair shown as (second, first), converted to the order (first, second); None for labels."""

    @property
    def is_flip(self) -> bool:
        """Return whether the judge's verdicts in the two orders disagree."""
        return self.forward is not None and self.backward is not None and self.forward is not self.backward
