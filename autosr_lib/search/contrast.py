"""The pairs that a proposer is shown (docs/method.md §7)."""

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


class Contrasted(NamedTuple):
    """Two candidates by their places in the prompt, the reference's better one first."""

    better: int
    worse: int
    fault: str


def choose_pairs(
    scores: FloatArray, prepared: PreparedPrompt, contrast: Contrast, count: int, attempt: int
) -> tuple[Contrasted, ...]:
    """Return up to `count` pairs for the `attempt`-th child (0, 1, …) of a parent.

    `misordered`: the pairs that the parent orders wrongly or ties, those that cost the objective most first, and when
    these run out the ones it tells apart least. Each attempt goes on where the one before stopped, so that siblings
    look at different faults. `rtd`: the two on top under the parent that the reference orders.

    Args:
        scores: (visible candidates,) under the parent, NaN where unscored.
        prepared: the prompt.
        contrast: which pairs.
        count: how many pairs at most.
        attempt: how many siblings of the same parent have been shown pairs before.
    """
    reference = prepared.reference
    if not len(reference.better):
        return ()
    signed = np.nan_to_num(margins(scores[None, :], reference)[0])
    if contrast is Contrast.RTD:
        known = np.nan_to_num(scores, nan=-1.0)
        height = known[reference.better] + known[reference.worse]
        order = np.argsort(-height, kind="stable")[:1]
    else:
        # A wrong pair costs its whole weight, a tied one half of it, a right one nothing: those are taken by margin.
        tolerance = prepared.objective.tie_tolerance
        cost = prepared.fit_weights * np.where(signed < -tolerance, 1.0, np.where(signed <= tolerance, 0.5, 0.0))
        ranked = np.lexsort((signed, -cost))
        start = attempt * count % len(ranked)
        order = np.roll(ranked, -start)[:count]
    return tuple(
        Contrasted(
            int(prepared.visible[reference.better[i]]),
            int(prepared.visible[reference.worse[i]]),
            _fault(signed[i], prepared.objective.tie_tolerance),
        )
        for i in order.tolist()
    )


def _fault(signed_margin: float, tie_tolerance: float) -> str:
    return "close" if signed_margin > tie_tolerance else "misordered" if signed_margin < -tie_tolerance else "tied"


def show_pairs(
    pairs: Sequence[Contrasted], rubric: Rubric, bank: GradeBank, prepared: PreparedPrompt
) -> tuple[ContrastPair, ...]:
    """Return the pairs as a proposer sees them: texts, and the first vote's grades under the parent."""

    def grades(place: int) -> dict[str, float]:
        column = bank.grades(rubric.keys, [0])[:, place, 0]
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
