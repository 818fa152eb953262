"""Two runs, or two searches, over the same prompts: what differs, prompt by prompt and pooled."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from autosr_lib.evaluation.holdout import PairCount, PairSummary, summarise_pairs
from autosr_lib.results.run_results import has_rubric
from autosr_lib.storage.rows import Row


class Changed(NamedTuple):
    """A prompt whose rubric is another one; the objectives say more only where both were measured alike."""

    prompt_id: str
    first: float
    second: float


@dataclass(frozen=True)
class Comparison:
    """What differs between a first and a second one; only prompts that both have a rubric for are compared."""

    prompts: int
    """Prompts that both have a rubric for."""
    only_first: tuple[str, ...]
    """Prompts that only the first has a rubric for."""
    only_second: tuple[str, ...]
    changed: tuple[Changed, ...]
    """Prompts with different rubrics, in the first one's order."""
    unpaired: int
    """Prompts for which other pairs were held out, as they were searched at another time; left out of what follows."""
    unseen: PairSummary | None
    """Over pairs of two hidden candidates: `initial` is the first one's accuracy, `best` the second one's."""
    touching: PairSummary | None
    """Likewise over pairs that touch a hidden candidate; it flatters a rubric that remembers (docs/method.md §5)."""

    @property
    def paired(self) -> int:
        """Return how many prompts the accuracies are compared on."""
        return self.prompts - self.unpaired


def compare(first: Iterable[Row], second: Iterable[Row]) -> Comparison:
    """Return what differs between two sets of results (`results.RESULTS`).

    Only how many pairs were held out is compared here: that they were the same ones is the caller's to know.
    """
    ours = {row["prompt_id"]: row for row in first if has_rubric(row)}
    theirs = {row["prompt_id"]: row for row in second if has_rubric(row)}
    both = [(row, theirs[name]) for name, row in ours.items() if name in theirs]
    paired = [(one, other) for one, other in both if _pairs(one) == _pairs(other)]
    touching = [PairCount(one["holdout_pairs"], one["holdout_best"], other["holdout_best"]) for one, other in paired]
    unseen = [PairCount(one["unseen_pairs"], one["unseen_best"], other["unseen_best"]) for one, other in paired]
    return Comparison(
        prompts=len(both),
        only_first=tuple(name for name in ours if name not in theirs),
        only_second=tuple(name for name in theirs if name not in ours),
        changed=tuple(
            Changed(one["prompt_id"], one["objective"], other["objective"])
            for one, other in both
            if one["rubric"] != other["rubric"]
        ),
        unpaired=len(both) - len(paired),
        unseen=summarise_pairs(unseen),
        touching=summarise_pairs(touching),
    )


def _pairs(row: Row) -> tuple[int, int]:
    return row["holdout_pairs"], row["unseen_pairs"]
