"""Early stopping: whether a prompt has been searched enough (docs/method.md §7)."""

from dataclasses import replace

import numpy as np

from autosr_lib.evaluation.objective import margins
from autosr_lib.search.context import SearchContext
from autosr_lib.search.population import diversity
from autosr_lib.search.state import Milestone, SearchState, StopReason

CONFIDENCE = 1.64
"""Standard errors by which a margin must exceed the threshold: one-sided 95%."""
REQUIRED_GENERATIONS = 2
"""Consecutive generations in which the tail must be distinguished."""


def finish_generation(context: SearchContext, state: SearchState) -> SearchState:
    """Return the state with the milestone of its generation and, if the search is to stop, the reason."""
    stop = context.settings.stop
    distinguished = state.distinguished + 1 if is_distinguished(context, state) else 0
    reason = state.stopped
    if reason is None and stop.stop_when_distinguished and distinguished >= REQUIRED_GENERATIONS:
        reason = StopReason.DISTINGUISHED
    if reason is None and 0 < stop.stagnation_generations <= state.stagnation:
        reason = StopReason.STAGNATION
    objectives = [individual.evaluation.objective for individual in state.population]
    milestone = Milestone(
        state.best.evaluation.objective,
        sum(objectives) / len(objectives),
        diversity(state.population),
        state.last_calls.total,
    )
    return replace(state, distinguished=distinguished, stopped=reason, history=(*state.history, milestone))


def is_distinguished(context: SearchContext, state: SearchState) -> bool:
    """Return whether the best rubric orders every pair that touches the reference tail rightly and with confidence.

    The lower confidence bound of each signed margin must reach `distinguish_margin`. The standard errors come from the
    variance of the votes, and are 0 with one vote.
    """
    prepared, settings = context.prepared, context.settings
    if not len(prepared.tail_pairs):
        return False
    threshold = settings.stop.distinguish_margin
    threshold = settings.objective.tie_tolerance if threshold is None else threshold
    scores = context.graded(state.bank).score([state.best.rubric])
    signed = margins(scores.score, prepared.reference)[0, prepared.tail_pairs]
    variance = scores.variance[0] / max(len(context.votes) - 1, 1)
    error = np.sqrt(variance[prepared.reference.better] + variance[prepared.reference.worse])[prepared.tail_pairs]
    lower = signed - CONFIDENCE * error
    return bool(np.all(np.nan_to_num(lower, nan=-1.0) >= threshold))
