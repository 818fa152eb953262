"""Hardness (docs/method.md §7): in scope `global_batch` a generation evolves only the hardest prompts."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class PromptProgress(NamedTuple):
    """How far the search of a prompt has come after a generation."""

    margin: float
    """Top margin of the best rubric, negative if the reference orders the top two the other way round."""
    wrong_share: float
    """Share of the population whose top candidate is not the reference's best."""
    is_open: bool
    """Whether the search of the prompt has not stopped yet."""


def measure_progress(margin: float, has_right_top: Sequence[bool], *, is_open: bool) -> PromptProgress:
    """Return the progress of a prompt from its best rubric's margin and, for each individual, whether its top is right.

    >>> measure_progress(0.25, [True, False], is_open=True)
    PromptProgress(margin=0.25, wrong_share=0.5, is_open=True)
    """
    wrong = sum(not is_right for is_right in has_right_top) / len(has_right_top) if has_right_top else 1.0
    return PromptProgress(margin, wrong, is_open)


def hardness(progress: PromptProgress) -> float:
    """Return `1/(1 + max(0, margin)) + 2 * wrong_share`, from 0.5 for an easy prompt to 3 for the hardest.

    >>> hardness(PromptProgress(margin=1.0, wrong_share=0.0, is_open=True))
    0.5
    """
    return 1 / (1 + max(0.0, progress.margin)) + 2 * progress.wrong_share


def hardest_prompts(progress: Mapping[str, PromptProgress], batch_size: float) -> list[str]:
    """Return the prompts that the next generation evolves, hardest first; equally hard ones in the order of their ids.

    >>> easy, hard = PromptProgress(1.0, 0.0, is_open=True), PromptProgress(0.0, 1.0, is_open=True)
    >>> hardest_prompts({"p1": easy, "p2": hard}, batch_size=1)
    ['p2']

    Args:
        progress: of every prompt, by id.
        batch_size: a number of prompts, or, if below 1, a fraction of all prompts, rounded up.
    """
    open_prompts = [prompt_id for prompt_id, measured in progress.items() if measured.is_open]
    ranked = sorted(open_prompts, key=lambda prompt_id: (-hardness(progress[prompt_id]), prompt_id))
    return ranked[: _batch_count(len(progress), batch_size)]


def reachable_prompts(prompts: int, generations: int, batch_size: float) -> int:
    """Return how many prompts can be evolved at most over all generations.

    >>> reachable_prompts(prompts=100, generations=3, batch_size=0.1)
    30
    """
    return min(prompts, generations * _batch_count(prompts, batch_size))


def _batch_count(prompts: int, batch_size: float) -> int:
    return math.ceil(batch_size * prompts) if batch_size < 1 else round(batch_size)
