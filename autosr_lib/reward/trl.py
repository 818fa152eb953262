"""The reward function that TRL's `GRPOTrainer` takes (and `RLOOTrainer`, `OnlineDPOTrainer`: they call it alike).

from autosr_lib.reward.trl import reward_function

trainer = GRPOTrainer(model=…, reward_funcs=reward_function("best.json"), train_dataset=dataset, …)

The dataset needs a column `prompt_id`. An *unscored* completion is None: TRL leaves that function out for it, and where
it is the only one keeps the completion out of the group's baseline and gives it no advantage (TRL 1.16; versions before
1.0 count it as 0 and warn).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from upath import UPath

from autosr_lib.errors import SettingsError
from autosr_lib.reward.blocking import Blocking
from autosr_lib.reward.rubrics import Rubrics

Messages = Sequence[Mapping[str, Any]]


def reward_function(
    rubrics: str | UPath | Rubrics, *, name: str = "autosr", **load: Any
) -> Callable[..., list[float | None]]:
    """Return the reward function.

    Args:
        rubrics: the export of a search, or rubrics that are loaded.
        name: of the reward in TRL's logs.
        load: further arguments of `Rubrics.load`.
    """
    loaded = rubrics if isinstance(rubrics, Rubrics) else Rubrics.load(rubrics, **load)
    blocking = Blocking(loaded)

    def reward(
        *,
        completions: Sequence[str | Messages],
        prompt_id: Sequence[str] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        if prompt_id is None:
            raise SettingsError("the training dataset has no column prompt_id; give each row the id of its prompt")
        pairs = zip(prompt_id, map(reply_text, completions), strict=True)
        scored = blocking.score_batch(pairs)
        if log_metric is not None and scored:
            log_metric(f"{name}/unscored", sum(one.score is None for one in scored) / len(scored))
            log_metric(f"{name}/ungraded", sum(one.ungraded for one in scored) / len(scored))
        return [one.score for one in scored]

    reward.__name__ = name
    return reward


def reply_text(completion: str | Messages) -> str:
    """Return what the policy said: a text, or the last message of a conversation, its text parts joined."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else ""
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
