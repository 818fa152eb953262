"""Early stop: when a prompt has been searched enough (METHOD §7)."""

from dataclasses import replace

import numpy as np

from autosr_lib.evaluation.objective import margins
from autosr_lib.search.population import diversity, score_rubrics
from autosr_lib.search.state import Milestone, State, StopReason, Task

CONFIDENCE = 1.64
"""Standard errors that a margin must stand above: one-sided 95%."""
IN_A_ROW = 2
"""Generations running in which the tail must be told apart."""


def settle(task: Task, state: State) -> State:
    """Return the state with what its generation came to, and the reason to stop that this gave, if any."""
    stop = task.settings.stop
    distinguished = state.distinguished + 1 if is_distinguished(task, state) else 0
    reason = state.stopped
    if reason is None and stop.stop_when_distinguished and distinguished >= IN_A_ROW:
        reason = StopReason.DISTINGUISHED
    if reason is None and 0 < stop.stagnation_generations <= state.stagnation:
        reason = StopReason.STAGNATION
    objectives = [one.evaluation.objective for one in state.population]
    milestone = Milestone(
        state.best.evaluation.objective,
        sum(objectives) / len(objectives),
        diversity(state.population),
        state.last_calls.total,
    )
    return replace(state, distinguished=distinguished, stopped=reason, history=(*state.history, milestone))


def is_distinguished(task: Task, state: State) -> bool:
    """Return whether the best rubric tells every pair that touches the reference tail apart, with confidence."""
    case, votes = task.case, task.votes
    if not len(case.tail_pairs):
        return False
    needed = task.settings.stop.distinguish_margin
    needed = task.settings.objective.tie_tolerance if needed is None else needed
    scores = score_rubrics(
        [state.best.rubric], state.bank, case.visible.tolist(), votes, task.settings.grading.aggregate
    )
    signed = margins(scores.score, case.reference)[0, case.tail_pairs]
    variance = scores.variance[0] / max(len(votes) - 1, 1)
    error = np.sqrt(variance[case.reference.better] + variance[case.reference.worse])[case.tail_pairs]
    lower = signed - CONFIDENCE * error
    return bool(np.all(np.nan_to_num(lower, nan=-1.0) >= needed))
