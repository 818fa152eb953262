"""The grade bank: every grade of a prompt, by what the criterion says (docs/method.md §7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.measures import measure
from autosr_lib.evaluation.settings import Grading

NOT_APPLICABLE = -1.0
"""The mark inside a bank's arrays for "not applicable"; it never leaves them as a number."""


class BankEntry(NamedTuple):
    """One stored grade: `value` in 0..1, or None for "not applicable"."""

    criterion_key: str
    candidate: int
    vote: int
    value: float | None


class Need(NamedTuple):
    """A criterion that must be graded on a candidate for a vote; `rubric` names the first rubric that needs it."""

    criterion: Criterion
    candidate: int
    vote: int
    rubric: str


class Parcel(NamedTuple):
    """The criteria of one request: one candidate, one vote."""

    candidate: int
    vote: int
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class GradeBank:
    """Grades of one prompt's candidates; a new bank is made by `with_entries`, an old one never changes.

    Arrays are (candidates, votes); NaN is a grade that nobody has given yet.
    """

    candidates: int
    votes: int
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    arrays: Mapping[str, FloatArray] = field(default_factory=dict)

    def with_criteria(self, criteria: Iterable[Criterion], texts: tuple[str, Sequence[str]]) -> "GradeBank":
        """Return a bank that knows these criteria; those with a measure are graded at once, for all votes.

        Args:
            criteria: what is to be known; a criterion that is known already keeps its first wording.
            texts: the prompt's text and its candidates' texts, all of them.
        """
        prompt_text, candidate_texts = texts
        known, arrays = dict(self.criteria), dict(self.arrays)
        for criterion in criteria:
            if criterion.key in known:
                continue
            known[criterion.key] = criterion
            array = np.full((self.candidates, self.votes), np.nan)
            if criterion.measure is not None:
                values = [measure(criterion.measure, prompt_text, text) for text in candidate_texts]
                array[:] = np.asarray(values)[:, None]
            arrays[criterion.key] = array
        return GradeBank(self.candidates, self.votes, known, arrays)

    def with_room_for(self, votes: int) -> "GradeBank":
        """Return a bank with room for at least so many votes; measured criteria have them at once."""
        if votes <= self.votes:
            return self
        arrays = {}
        for key, array in self.arrays.items():
            more = np.full((self.candidates, votes - self.votes), np.nan)
            if self.criteria[key].measure is not None:
                more[:] = array[:, :1]
            arrays[key] = np.hstack([array, more])
        return GradeBank(self.candidates, votes, self.criteria, arrays)

    def with_entries(self, entries: Iterable[BankEntry]) -> "GradeBank":
        """Return a bank with these grades added; their criteria must be known."""
        arrays = dict(self.arrays)
        copied: set[str] = set()
        for key, candidate, vote, value in entries:
            if key not in copied:
                arrays[key] = arrays[key].copy()
                copied.add(key)
            arrays[key][candidate, vote] = NOT_APPLICABLE if value is None else value
        return GradeBank(self.candidates, self.votes, self.criteria, arrays)

    def entries(self) -> list[BankEntry]:
        """Return what was asked of a verifier, sorted; measured grades are left out, since they can be measured again."""
        found: list[BankEntry] = []
        for key in sorted(self.arrays):
            if self.criteria[key].measure is not None:
                continue
            array = self.arrays[key]
            for candidate, vote in np.argwhere(~np.isnan(array)).tolist():
                value = float(array[candidate, vote])
                found.append(BankEntry(key, candidate, vote, None if value == NOT_APPLICABLE else value))
        return found

    def has(self, key: str, candidate: int, vote: int) -> bool:
        """Return whether this grade, or its being not applicable, is known."""
        array = self.arrays.get(key)
        return array is not None and not np.isnan(array[candidate, vote])

    def grades(self, keys: Sequence[str], votes: Sequence[int]) -> FloatArray:
        """Return the array (criteria, candidates, votes) of these keys and votes, NaN where ungraded."""
        if not keys:
            return np.empty((0, self.candidates, len(votes)))
        return np.stack([self.arrays[key] for key in keys])[:, :, list(votes)]


def pack(needs: Iterable[Need], grading: Grading, criteria_per_call: int) -> list[Parcel]:
    """Return the requests that meet these needs, in an order that depends on nothing but them (docs/method.md §7)."""
    shelves: dict[tuple[int, int, str], dict[str, Criterion]] = {}
    for criterion, candidate, vote, rubric in needs:
        shelf = {Grading.POOLED: "", Grading.PER_RUBRIC: rubric, Grading.PER_CRITERION: criterion.key}[grading]
        shelves.setdefault((candidate, vote, shelf), {})[criterion.key] = criterion
    parcels = []
    for candidate, vote, shelf in sorted(shelves):
        pooled = shelves[candidate, vote, shelf]
        criteria = [pooled[key] for key in sorted(pooled)]
        parcels += [
            Parcel(candidate, vote, tuple(criteria[start : start + criteria_per_call]))
            for start in range(0, len(criteria), criteria_per_call)
        ]
    return parcels
