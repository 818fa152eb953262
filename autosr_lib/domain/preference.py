"""A preference between two candidates of one prompt."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Verdict(StrEnum):
    """Which of two candidates, in the order they are named, is better."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"

    @property
    def swapped(self) -> "Verdict":
        """Return the same verdict for the pair named the other way round."""
        return {Verdict.FIRST: Verdict.SECOND, Verdict.SECOND: Verdict.FIRST, Verdict.TIE: Verdict.TIE}[self]


class Preference(BaseModel):
    """One labelled or judged pair of candidates.

    `forward` and `backward` are the judge's answers to the pair shown as (first, second) and as (second, first), both
    told in the order (first, second); they are None for labels. When they disagree the verdict is a tie.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: str
    second: str
    verdict: Verdict
    forward: Verdict | None = None
    backward: Verdict | None = None

    @property
    def is_flip(self) -> bool:
        """Return whether the judge's two orders disagree."""
        return self.forward is not None and self.backward is not None and self.forward is not self.backward
