"""The reward of a task in Prime Intellect's verifiers (v1).

A taskset's task class calls it:

```python
class MyTask(vf.Task[MyData]):
    @vf.reward
    async def rubric(self, task, trace) -> float:
        return await score(task, trace, rubrics="best.json")
```

or the configuration of a run adds it to any taskset, with the path of the export in `AUTOSR_RUBRICS`:

```toml
[env.taskset.task.rewards.rubric]
fn = "autosr_lib.reward.verifiers:reward"
```

The prompt id is the task's `prompt_id`, or else its `id`. An *unscored* reply raises: verifiers then records an error
of the task on the trace and no reward, and the rollout is not trained on.
"""

import os
from functools import cache
from typing import Any

from autosr_lib.errors import RoleError, SettingsError
from autosr_lib.reward.rubrics import Rubrics

RUBRICS_VARIABLE = "AUTOSR_RUBRICS"


async def reward(task: Any, trace: Any) -> float:
    """Return the score of the last reply of a trace, with the rubrics of the export that `AUTOSR_RUBRICS` names.

    Raises:
        SettingsError: the variable is empty, the export cannot be used, or it has no rubric for the prompt.
        RoleError: the reply is unscored.
    """
    path = os.environ.get(RUBRICS_VARIABLE)
    if not path:
        raise SettingsError(f"the environment variable {RUBRICS_VARIABLE} is empty; set it to the export of a search")
    return await score(task, trace, rubrics=path)


async def score(task: Any, trace: Any, *, rubrics: str | Rubrics) -> float:
    """Return the score of the last reply of a trace, and record the metric `rubric/ungraded`.

    Raises:
        SettingsError: the task has no id, the export cannot be used, or it has no rubric for the prompt.
        RoleError: the reply is unscored.
    """
    loaded = rubrics if isinstance(rubrics, Rubrics) else _load(rubrics)
    prompt_id = getattr(task, "prompt_id", None) or getattr(task, "id", None)
    if not prompt_id:
        raise SettingsError("the task has neither prompt_id nor id; give it the id of its prompt")
    scored = await loaded.score(str(prompt_id), trace.last_reply)
    trace.record_metric("rubric/ungraded", scored.ungraded)
    if scored.score is None:
        raise RoleError(f"the reply to {prompt_id!r:.80} is unscored: {scored.ungraded:.0%} of its rubric has no grade")
    return scored.score


@cache
def _load(path: str) -> Rubrics:
    return Rubrics.load(path)
