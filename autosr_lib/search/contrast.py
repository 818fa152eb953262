"""The pairs of candidates that a proposer is shown (docs/method.md §7)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import NOT_APPLICABLE, GradeBank
from autosr_lib.evaluation.objective import margins
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.roles import ContrastPair
from autosr_lib.search.settings import Contrast


class ChosenPair(NamedTuple):
    """A pair of candidates chosen for the proposer, by their positions in the prompt."""

    better: int
    """Position of the candidate that the reference prefers."""
    worse: int
    fault: str
    """How the parent orders the pair: `misordered`, `tied`, or `close` if it is right."""


def choose_pairs(
    scores: FloatArray, prepared: PreparedPrompt, contrast: Contrast, count: int, attempt: int
) -> tuple[ChosenPair, ...]:
    """Return at most `count` pairs for the `attempt`-th child (0, 1, …) of a parent.

    `misordered`: the pairs that the parent orders wrongly or ties, by decreasing loss of the objective, then the
    correctly ordered pairs by increasing margin. Each attempt continues where the previous one stopped, so that
    siblings are written for different pairs. `rtd`: the ordered pair whose scores are highest.

    Args:
        scores: (visible candidates,) under the parent, NaN where unscored.
        prepared: the prompt.
        contrast: which pairs to choose.
        count: the maximum number of pairs.
        attempt: the number of earlier children of the same parent in this generation.
    """
    reference = prepared.reference
    if not len(reference.better):
        return ()
    tolerance = prepared.objective.tie_tolerance
    signed = np.nan_to_num(margins(scores[None, :], reference)[0])
    if contrast is Contrast.RTD:
        filled = np.nan_to_num(scores, nan=-1.0)
        order = np.argsort(-(filled[reference.better] + filled[reference.worse]), kind="stable")[:1]
    else:
        # A wrong pair loses all of its weight, a tied pair half of it, and a correct pair nothing.
        loss = prepared.pair_weights * np.where(signed < -tolerance, 1.0, np.where(signed <= tolerance, 0.5, 0.0))
        ranked = np.lexsort((signed, -loss))
        start = attempt * count % len(ranked)
        order = np.roll(ranked, -start)[:count]
    return tuple(
        ChosenPair(
            int(prepared.visible[reference.better[i]]),
            int(prepared.visible[reference.worse[i]]),
            _fault(signed[i], tolerance),
        )
        for i in order.tolist()
    )


def _fault(signed_margin: float, tie_tolerance: float) -> str:
    return "close" if signed_margin > tie_tolerance else "misordered" if signed_margin < -tie_tolerance else "tied"


def show_pairs(
    pairs: Sequence[ChosenPair], rubric: Rubric, bank: GradeBank, prepared: PreparedPrompt
) -> tuple[ContrastPair, ...]:
    """Return the pairs as the proposer sees them: the texts, and the grades of the first vote under the parent."""

    def grades(position: int) -> dict[str, float]:
        column = bank.grades(rubric.keys, [0])[:, position, 0]
        return {
            key: float(grade)
            for key, grade in zip(rubric.keys, column, strict=True)
            if not np.isnan(grade) and grade != NOT_APPLICABLE
        }

    texts = prepared.texts[1]
    return tuple(
        ContrastPair(texts[pair.better], texts[pair.worse], grades(pair.better), grades(pair.worse), pair.fault)
        for pair in pairs
    )
