"""The custom reward function of verl.

    custom_reward_function.path=…/autosr_lib/reward/verl.py
    custom_reward_function.name=compute_score
    +custom_reward_function.reward_kwargs.rubrics=/data/best.json

The prompt's id is `extra_info["prompt_id"]`, or the row's `ground_truth` where there is none. `compute_score_async` is
the same for reward managers that await.

verl knows no reward that is missing. So an *unscored* response raises, unless `reward_kwargs.unscored` says which number
is to stand for it; what it stood for is then told in the extra key `unscored`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from autosr_lib.errors import RoleError, SettingsError
from autosr_lib.reward.blocking import Blocking
from autosr_lib.reward.rubrics import Rubrics
from autosr_lib.reward.scored import Scored


def compute_score(
    data_source: str,  # noqa: ARG001 - verl's
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    rubrics: str,
    unscored: float | None = None,
    **_: Any,
) -> dict[str, float]:
    """Return the score of a response and, beside it, `ungraded` and `unscored`, which verl logs.

    Raises:
        RoleError: the response is unscored, and `unscored` says no number for it.
    """
    return _told(_blocking(rubrics).score(_prompt_id(ground_truth, extra_info), solution_str), unscored)


async def compute_score_async(
    data_source: str,  # noqa: ARG001 - verl's
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    rubrics: str,
    unscored: float | None = None,
    **_: Any,
) -> dict[str, float]:
    """Return the same as `compute_score`, awaited."""
    return _told(await _loaded(rubrics).score(_prompt_id(ground_truth, extra_info), solution_str), unscored)


@cache
def _loaded(path: str) -> Rubrics:
    return Rubrics.load(path)


@cache
def _blocking(path: str) -> Blocking:
    return Blocking(Rubrics.load(path))


def _prompt_id(ground_truth: Any, extra_info: Mapping[str, Any] | None) -> str:
    found = (extra_info or {}).get("prompt_id", ground_truth)
    if not isinstance(found, str):
        raise SettingsError(
            f"no prompt id: extra_info.prompt_id is missing and ground_truth is {found!r:.80}; give one"
        )
    return found


def _told(scored: Scored, unscored: float | None) -> dict[str, float]:
    if scored.score is not None:
        return {"score": scored.score, "ungraded": scored.ungraded, "unscored": 0.0}
    if unscored is None:
        raise RoleError(
            f"a response to {scored.prompt_id!r:.80} is unscored: {scored.ungraded:.0%} of the rubric's weight has no "
            "grade; allowed: reward_kwargs.unscored, the number that is to stand for it"
        )
    return {"score": float(unscored), "ungraded": scored.ungraded, "unscored": 1.0}
