"""The reward function for TRL's `GRPOTrainer` (`RLOOTrainer` and `OnlineDPOTrainer` call it in the same way).

```python
from autosr_lib.reward.trl import reward_function

trainer = GRPOTrainer(model=…, reward_funcs=reward_function("best.json"), train_dataset=dataset, …)
```

The dataset needs a column `prompt_id`. The reward of an *unscored* completion is None: TRL then ignores this function
for the completion. If it is the only reward function, the completion is left out of the group's baseline and gets no
advantage (TRL 1.16; versions before 1.0 count it as 0 and warn).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from upath import UPath

from autosr_lib.errors import SettingsError
from autosr_lib.reward.blocking import Blocking
from autosr_lib.reward.rubrics import Rubrics

Messages: TypeAlias = Sequence[Mapping[str, Any]]
"""A conversation in the format of TRL: mappings with the keys `role` and `content`."""


def reward_function(
    rubrics: str | UPath | Rubrics, *, name: str = "autosr", **load: Any
) -> Callable[..., list[float | None]]:
    """Return the reward function.

    Args:
        rubrics: the export of a search, or loaded rubrics.
        name: the name of the reward in TRL's logs.
        load: further arguments of `Rubrics.load`.

    Raises:
        SettingsError: see `Rubrics.load`.
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
        batch = blocking.score_batch(pairs)
        if log_metric is not None and batch:
            log_metric(f"{name}/unscored", sum(scored.score is None for scored in batch) / len(batch))
            log_metric(f"{name}/ungraded", sum(scored.ungraded for scored in batch) / len(batch))
        return [scored.score for scored in batch]

    reward.__name__ = name
    return reward


def reply_text(completion: str | Messages) -> str:
    """Return the text of a completion; of a conversation, that of the last message, with its text parts joined.

    >>> reply_text([{"role": "assistant", "content": [{"text": "Good "}, {"text": "morning."}]}])
    'Good morning.'
    """
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else ""
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
