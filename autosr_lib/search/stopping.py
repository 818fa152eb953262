"""Early stop: when a prompt has been searched enough (docs/method.md §7)."""

from dataclasses import replace

import numpy as np

from autosr_lib.evaluation.objective import margins
from autosr_lib.search.population import diversity, score_rubrics
from autosr_lib.search.state import Milestone, SearchContext, State, StopReason

CONFIDENCE = 1.64
"""Standard errors that a margin must stand above: one-sided 95%."""
IN_A_ROW = 2
"""Generations running in which the tail must be told apart."""


def settle(context: SearchContext, state: State) -> State:
    """Return the state with what its generation came to, and the reason to stop that this gave, if any."""
    stop = context.settings.stop
    distinguished = state.distinguished + 1 if is_distinguished(context, state) else 0
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


def is_distinguished(context: SearchContext, state: State) -> bool:
    """Return whether the best rubric tells every pair that touches the reference tail apart, with confidence."""
    prepared, votes = context.prepared, context.votes
    if not len(prepared.tail_pairs):
        return False
    needed = context.settings.stop.distinguish_margin
    needed = context.settings.objective.tie_tolerance if needed is None else needed
    scores = score_rubrics(
        [state.best.rubric], state.bank, prepared.visible.tolist(), votes, context.settings.grading.aggregate
    )
    signed = margins(scores.score, prepared.reference)[0, prepared.tail_pairs]
    variance = scores.variance[0] / max(len(votes) - 1, 1)
    error = np.sqrt(variance[prepared.reference.better] + variance[prepared.reference.worse])[prepared.tail_pairs]
    lower = signed - CONFIDENCE * error
    return bool(np.all(np.nan_to_num(lower, nan=-1.0) >= needed))
