"""The grade bank: all grades of a prompt's candidates, by criterion key (docs/method.md §7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.measures import measure
from autosr_lib.evaluation.settings import Grading

NOT_APPLICABLE = -1.0
"""Marks "not applicable" in arrays of grades. Entries hold None instead; scoring drops it."""


class BankEntry(NamedTuple):
    """One stored grade: `value` in 0..1, or None for "not applicable"."""

    criterion_key: str
    candidate: int
    """Position of the candidate in the prompt."""
    vote: int
    value: float | None


class Need(NamedTuple):
    """A missing grade: a criterion that must be graded on a candidate for a vote."""

    criterion: Criterion
    candidate: int
    """Position of the candidate in the prompt."""
    vote: int
    rubric: str
    """Fingerprint of the first rubric that needs the grade."""


class GradeBatch(NamedTuple):
    """The criteria that one request grades, on one candidate for one vote."""

    candidate: int
    """Position of the candidate in the prompt."""
    vote: int
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True)
class GradeBank:
    """Grades of one prompt's candidates. Immutable: the `with_…` methods return a new bank.

    >>> criterion = Criterion(criterion_id="clear", text="The answer is clear.")
    >>> bank = GradeBank(candidates=2, votes=1).with_criteria([criterion], ("Why?", ["Because.", "So."]))
    >>> bank = bank.with_entries([BankEntry(criterion.key, candidate=0, vote=0, value=0.6)])
    >>> bank.grades([criterion.key], votes=[0]).tolist()
    [[[0.6], [nan]]]
    """

    candidates: int
    """Number of candidates."""
    votes: int
    """Number of votes that there is room for."""
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    """Criteria by key."""
    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    """Grades by criterion key, (candidates, votes): 0..1, `NOT_APPLICABLE`, or NaN where not yet graded."""

    def with_criteria(self, criteria: Iterable[Criterion], texts: tuple[str, Sequence[str]]) -> "GradeBank":
        """Return a bank with these criteria added; those with a measure are graded immediately, for all votes.

        Args:
            criteria: criteria to add; one whose key is already in the bank is ignored.
            texts: the prompt's text, and the texts of all its candidates.
        """
        prompt_text, candidate_texts = texts
        by_key, arrays = dict(self.criteria), dict(self.arrays)
        for criterion in criteria:
            if criterion.key in by_key:
                continue
            by_key[criterion.key] = criterion
            array = np.full((self.candidates, self.votes), np.nan)
            if criterion.measure is not None:
                values = [measure(criterion.measure, prompt_text, text) for text in candidate_texts]
                array[:] = np.asarray(values)[:, None]
            arrays[criterion.key] = array
        return GradeBank(self.candidates, self.votes, by_key, arrays)

    def with_room_for(self, votes: int) -> "GradeBank":
        """Return a bank with room for at least `votes` votes; those of measured criteria are filled in."""
        if votes <= self.votes:
            return self
        arrays = {}
        for key, array in self.arrays.items():
            added = np.full((self.candidates, votes - self.votes), np.nan)
            if self.criteria[key].measure is not None:
                added[:] = array[:, :1]
            arrays[key] = np.hstack([array, added])
        return GradeBank(self.candidates, votes, self.criteria, arrays)

    def with_entries(self, entries: Iterable[BankEntry]) -> "GradeBank":
        """Return a bank with these grades added.

        Raises:
            KeyError: an entry's criterion is not in the bank; add it with `with_criteria` first.
        """
        arrays = dict(self.arrays)
        copied: set[str] = set()
        for key, candidate, vote, value in entries:
            if key not in copied:
                arrays[key] = arrays[key].copy()
                copied.add(key)
            arrays[key][candidate, vote] = NOT_APPLICABLE if value is None else value
        return GradeBank(self.candidates, self.votes, self.criteria, arrays)

    def entries(self) -> list[BankEntry]:
        """Return the verifier's grades, sorted by key, candidate and vote; measured grades can be computed again."""
        entries: list[BankEntry] = []
        for key in sorted(self.arrays):
            if self.criteria[key].measure is not None:
                continue
            array = self.arrays[key]
            for candidate, vote in np.argwhere(~np.isnan(array)).tolist():
                value = float(array[candidate, vote])
                entries.append(BankEntry(key, candidate, vote, None if value == NOT_APPLICABLE else value))
        return entries

    def has(self, key: str, candidate: int, vote: int) -> bool:
        """Return whether there is a grade, or "not applicable", for this criterion, candidate and vote."""
        array = self.arrays.get(key)
        return array is not None and not np.isnan(array[candidate, vote])

    def grades(self, keys: Sequence[str], votes: Sequence[int]) -> FloatArray:
        """Return (criteria, candidates, votes) grades of these keys and votes, `NOT_APPLICABLE`, or NaN if ungraded."""
        if not keys:
            return np.empty((0, self.candidates, len(votes)))
        return np.stack([self.arrays[key] for key in keys])[:, :, list(votes)]


def batch_needs(needs: Iterable[Need], grading: Grading, criteria_per_call: int) -> list[GradeBatch]:
    """Return the batches, one per request, that cover these needs (docs/method.md §7).

    Batches are sorted, so they depend on the set of needs and not on its order. `grading` decides which criteria share
    a batch; none has more than `criteria_per_call`.

    >>> clear, deep = (Criterion(criterion_id=name, text=f"It is {name}.") for name in ("clear", "deep"))
    >>> needs = [Need(criterion, candidate, 0, "r") for criterion in (clear, deep) for candidate in (0, 1)]
    >>> [len(batch.criteria) for batch in batch_needs(needs, Grading.POOLED, criteria_per_call=10)]
    [2, 2]
    """
    groups: dict[tuple[int, int, str], dict[str, Criterion]] = {}
    for criterion, candidate, vote, rubric in needs:
        group = {Grading.POOLED: "", Grading.PER_RUBRIC: rubric, Grading.PER_CRITERION: criterion.key}[grading]
        groups.setdefault((candidate, vote, group), {})[criterion.key] = criterion
    batches = []
    for candidate, vote, group in sorted(groups):
        by_key = groups[candidate, vote, group]
        criteria = [by_key[key] for key in sorted(by_key)]
        batches += [
            GradeBatch(candidate, vote, tuple(criteria[start : start + criteria_per_call]))
            for start in range(0, len(criteria), criteria_per_call)
        ]
    return batches
