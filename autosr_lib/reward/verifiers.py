"""The reward of a task in Prime Intellect's verifiers (v1).

A taskset's own task awaits it:

    class MyTask(vf.Task[MyData]):
        @vf.reward
        async def rubric(self, task, trace) -> float:
            return await score(task, trace, rubrics="best.json")

or a run's configuration plugs it into any taskset, with the export named by `AUTOSR_RUBRICS`:

    [env.taskset.task.rewards.rubric]
    fn = "autosr_lib.reward.verifiers:reward"

The prompt's id is the task's `prompt_id`, or else its `id`. An *unscored* reply raises: verifiers then records an error of
the task on the trace and no reward, and such a rollout is not trained on.
"""

import os
from functools import cache
from typing import Any

from autosr_lib.errors import RoleError, SettingsError
from autosr_lib.reward.rubrics import Rubrics

VARIABLE = "AUTOSR_RUBRICS"


async def reward(task: Any, trace: Any) -> float:
    """Return the score of the last reply of a trace, by the export that `AUTOSR_RUBRICS` names.

    Raises:
        SettingsError: the variable is empty, or the prompt has no rubric.
        RoleError: the reply is unscored.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        raise SettingsError(f"the environment variable {VARIABLE} is empty; allowed: the export of a search")
    return await score(task, trace, rubrics=path)


async def score(task: Any, trace: Any, *, rubrics: str | Rubrics) -> float:
    """Return the score of the last reply of a trace; what was ungraded is recorded as the metric `rubric/ungraded`.

    Raises:
        SettingsError: the prompt has no rubric.
        RoleError: the reply is unscored.
    """
    loaded = rubrics if isinstance(rubrics, Rubrics) else _loaded(rubrics)
    prompt_id = getattr(task, "prompt_id", None) or getattr(task, "id", None)
    if not prompt_id:
        raise SettingsError("the task has neither prompt_id nor id; give it the id of its prompt")
    scored = await loaded.score(str(prompt_id), trace.last_reply)
    trace.record_metric("rubric/ungraded", scored.ungraded)
    if scored.score is None:
        raise RoleError(f"the reply to {prompt_id!r:.80} is unscored: {scored.ungraded:.0%} of its rubric has no grade")
    return scored.score


@cache
def _loaded(path: str) -> Rubrics:
    return Rubrics.load(path)
