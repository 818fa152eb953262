"""Hardness (docs/method.md §7): in scope `global_batch` a generation evolves only the hardest prompts of all."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Standing(NamedTuple):
    """How a prompt's population stands after a generation.

    `margin` is the best rubric's top margin, signed by the reference; `wrong_share` the share of the population whose
    top candidate is not one of the reference's best; `is_open` whether the prompt may be searched any further.
    """

    margin: float
    wrong_share: float
    is_open: bool


def hardness(standing: Standing) -> float:
    """Return `1/(1 + max(0, signed margin)) + 2 * wrong_share`: 0.5 for an easy prompt, 3 for the hardest."""
    return 1 / (1 + max(0.0, standing.margin)) + 2 * standing.wrong_share


def hardest(standings: Mapping[str, Standing], batch_size: float) -> list[str]:
    """Return the prompts that the next generation evolves, the hardest first; equals in the order of their ids.

    Args:
        standings: of every prompt.
        batch_size: a count, or below 1 a fraction of the prompts, rounded up.
    """
    count = math.ceil(batch_size * len(standings)) if batch_size < 1 else round(batch_size)
    return _in_order(standings)[:count]


def _in_order(standings: Mapping[str, Standing]) -> list[str]:
    return sorted((name for name, one in standings.items() if one.is_open), key=lambda n: (-hardness(standings[n]), n))


def reachable(prompts: int, generations: int, batch_size: float) -> int:
    """Return how many prompts can be evolved at all, at most, over all generations."""
    each = math.ceil(batch_size * prompts) if batch_size < 1 else round(batch_size)
    return min(prompts, generations * each)


def standing_of(margin: float, has_right_top: Sequence[bool], *, is_open: bool) -> Standing:
    """Return the standing of a population: the best's margin, and for each individual whether its top is right."""
    wrong = sum(not right for right in has_right_top) / len(has_right_top) if has_right_top else 1.0
    return Standing(margin, wrong, is_open)
