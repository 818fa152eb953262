"""The custom reward function for verl.

```
custom_reward_function.path=…/autosr_lib/reward/verl.py
custom_reward_function.name=compute_score
+custom_reward_function.reward_kwargs.rubrics=/data/best.json
```

The prompt id is `extra_info["prompt_id"]`, or the row's `ground_truth` if that is missing. `compute_score_async` does
the same for reward managers that await.

verl needs a reward for every response. So an *unscored* response raises, unless `reward_kwargs.unscored` is the number
to use instead; the extra key `unscored` is 1 for such responses.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from autosr_lib.errors import RoleError, SettingsError
from autosr_lib.reward.blocking import Blocking
from autosr_lib.reward.rubrics import Rubrics
from autosr_lib.reward.scored import Scored


def compute_score(
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    rubrics: str,
    unscored: float | None = None,
    **_: Any,
) -> dict[str, float]:
    """Return the keys `score`, `ungraded` and `unscored`; verl uses the first as reward and logs the others.

    Args:
        data_source: not used.
        solution_str: the response.
        ground_truth: the prompt id, if `extra_info` does not have it.
        extra_info: may have the key `prompt_id`.
        rubrics: the path of the export of a search.
        unscored: the score to use for unscored responses.

    Raises:
        SettingsError: the prompt id is missing, the export cannot be used, or it has no rubric for the prompt.
        RoleError: the response is unscored, and `unscored` is None.
    """
    return _reward(_load_blocking(rubrics).score(_prompt_id(ground_truth, extra_info), solution_str), unscored)


async def compute_score_async(
    data_source: str,  # noqa: ARG001 - verl passes it
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    rubrics: str,
    unscored: float | None = None,
    **_: Any,
) -> dict[str, float]:
    """Do the same as `compute_score`, asynchronously."""
    return _reward(await _load(rubrics).score(_prompt_id(ground_truth, extra_info), solution_str), unscored)


@cache
def _load(path: str) -> Rubrics:
    return Rubrics.load(path)


@cache
def _load_blocking(path: str) -> Blocking:
    return Blocking(Rubrics.load(path))


def _prompt_id(ground_truth: Any, extra_info: Mapping[str, Any] | None) -> str:
    prompt_id = (extra_info or {}).get("prompt_id", ground_truth)
    if not isinstance(prompt_id, str):
        raise SettingsError(
            f"no prompt id: extra_info.prompt_id is missing and ground_truth is {prompt_id!r:.80}; give one of them"
        )
    return prompt_id


def _reward(scored: Scored, unscored: float | None) -> dict[str, float]:
    if scored.score is not None:
        return {"score": scored.score, "ungraded": scored.ungraded, "unscored": 0.0}
    if unscored is None:
        raise RoleError(
            f"a response to {scored.prompt_id!r:.80} is unscored: {scored.ungraded:.0%} of the rubric's weight has no "
            "grade; to use a number for such responses, set reward_kwargs.unscored"
        )
    return {"score": float(unscored), "ungraded": scored.ungraded, "unscored": 1.0}
