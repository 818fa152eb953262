"""What differs between the results of two runs or searches over the same prompts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from autosr_lib.evaluation.holdout import PairCount, PairSummary, summarise_pairs
from autosr_lib.storage.tables.run_results import PromptResult


class ChangedRubric(NamedTuple):
    """A prompt with different rubrics. The objectives are comparable only if both were measured the same way."""

    prompt_id: str
    first: float
    """Objective in the first results."""
    second: float
    """Objective in the second results."""


@dataclass(frozen=True)
class Comparison:
    """What differs between first and second results; only prompts that have a rubric in both are compared."""

    prompts: int
    """Prompts that have a rubric in both."""
    only_first: tuple[str, ...]
    """Prompts that have a rubric in the first results only."""
    only_second: tuple[str, ...]
    changed: tuple[ChangedRubric, ...]
    """Prompts with different rubrics, in the order of the first results."""
    unpaired: int
    """Prompts whose held-out pairs differ between the results; they count in no accuracy."""
    unseen: PairSummary | None
    """Over pairs of two hidden candidates: `initial` is the first results' accuracy, `best` the second's."""
    touching: PairSummary | None
    """The same over pairs that touch a hidden candidate, where remembered labels help (docs/method.md §5)."""

    @property
    def paired(self) -> int:
        """Return how many prompts the accuracies are compared on."""
        return self.prompts - self.unpaired


def compare_results(first: Iterable[PromptResult], second: Iterable[PromptResult]) -> Comparison:
    """Return what differs between two sets of results.

    Only the number of held-out pairs is compared; the caller must know that they are the same pairs.

    >>> from autosr_lib.storage.tables.columns import Status
    >>> from autosr_lib.storage.tables.run_results import ResultFigures
    >>> results = [PromptResult("p1", Status.DONE, ResultFigures("9f3a", 0.8, 4, 3.0, 1, 0.5, 20))]
    >>> compare_results(results, []).only_first
    ('p1',)
    """
    in_first = {result.prompt_id: result.figures for result in first if result.figures is not None}
    in_second = {result.prompt_id: result.figures for result in second if result.figures is not None}
    in_both = [(prompt_id, old, in_second[prompt_id]) for prompt_id, old in in_first.items() if prompt_id in in_second]
    paired = [
        (old, new)
        for _, old, new in in_both
        if (old.holdout_pairs, old.unseen_pairs) == (new.holdout_pairs, new.unseen_pairs)
    ]
    return Comparison(
        prompts=len(in_both),
        only_first=tuple(prompt_id for prompt_id in in_first if prompt_id not in in_second),
        only_second=tuple(prompt_id for prompt_id in in_second if prompt_id not in in_first),
        changed=tuple(
            ChangedRubric(prompt_id, old.objective, new.objective)
            for prompt_id, old, new in in_both
            if old.rubric != new.rubric
        ),
        unpaired=len(in_both) - len(paired),
        unseen=summarise_pairs([PairCount(old.unseen_pairs, old.unseen_best, new.unseen_best) for old, new in paired]),
        touching=summarise_pairs(
            [PairCount(old.holdout_pairs, old.holdout_best, new.holdout_best) for old, new in paired]
        ),
    )
