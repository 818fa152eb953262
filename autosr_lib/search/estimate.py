"""What a search will ask, reckoned before it begins: requests by role for one prompt.

It is the cost of a prompt that runs to its last generation; early stops, racing and kept replies only make it less.
"""

import math
from dataclasses import dataclass

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.holdout import hidden_candidates
from autosr_lib.evaluation.probes import Probe
from autosr_lib.evaluation.reference import choose_judge, pair_budget
from autosr_lib.evaluation.settings import Grading, GradingSettings, HoldoutSettings, JudgeSetting, ReferenceSettings
from autosr_lib.search.budget import REQUESTS_PER_CANDIDATE
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.schedule import SCHEDULED
from autosr_lib.search.settings import InitializerStrategy, Mode, Probing, Schedule, SearchSettings, Structure

FIRST_CRITERIA = 5
"""Criteria of a first rubric: the templates ask for 5 to 8, and models tend to the lower end."""
PROPOSED_CRITERIA = 2
"""New criteria of a proposal: the templates ask for 1 to 3."""


@dataclass(frozen=True)
class ExpectedCalls:
    """Requests that one prompt is expected to make, by role."""

    initializer: float = 0.0
    proposer: float = 0.0
    verifier: float = 0.0
    judge: float = 0.0
    rubric_size: float = 0.0
    """Criteria of a rubric that the proposer is shown."""
    criteria_per_request: float = 0.0
    """Criteria that the verifier is asked in one request."""

    @property
    def total(self) -> float:
        """Return the requests of the search; those of the judge are counted apart."""
        return self.initializer + self.proposer + self.verifier


@dataclass(frozen=True)
class _Sizes:
    visible: int
    hidden: int


def expected_calls(
    prompt: Prompt,
    settings: SearchSettings,
    structure: Structure,
    holdout: HoldoutSettings,
    evolved: float = 1.0,
) -> ExpectedCalls:
    """Return the requests that the search of a prompt is expected to make, within its own budget.

    Args:
        prompt: with its candidates.
        settings: of the search.
        structure: of the search.
        holdout: what is hidden from it.
        evolved: share of the generations in which the prompt is searched; below 1 in scope `global_batch`.
    """
    sizes, grading = _sizes(prompt, holdout), settings.grading
    is_evolutionary = structure.mode is Mode.EVOLUTIONARY
    at_first = float(settings.initializer.initial_proposals) if is_evolutionary else 0.0
    later = _proposals_by_generation(settings, structure)
    proposals = at_first + evolved * sum(later)
    pooled = _requests(FIRST_CRITERIA, grading) + _requests_for_children(at_first, grading)
    searched = pooled + evolved * sum(_requests_for_children(asked, grading) for asked in later)
    known = FIRST_CRITERIA + PROPOSED_CRITERIA * proposals
    final, measured = _last_sizes(known, settings, structure)
    fresh = grading.finalist_votes * sizes.visible * _requests(final, grading)
    unseen = grading.holdout_votes * sizes.hidden * _requests(measured, grading)
    verifier = grading.num_votes * sizes.visible * searched + fresh + unseen
    asked_criteria: float = grading.num_votes * sizes.visible * known
    asked_criteria += grading.finalist_votes * sizes.visible * final + grading.holdout_votes * sizes.hidden * measured
    first = 0 if settings.initializer.initializer_strategy is InitializerStrategy.PRESET else 1
    budget = settings.stop.max_calls_per_prompt
    whole = first + proposals + verifier
    scale = 1.0 if budget is None else min(1.0, budget / whole)
    probes = _probe_calls(sizes, settings, measured) if settings.probing.probing is Probing.ALL else 0
    return ExpectedCalls(
        initializer=first,
        proposer=proposals * scale,
        verifier=verifier * scale + probes,
        rubric_size=min(settings.evolution.max_criteria, (FIRST_CRITERIA + known) / 2),
        criteria_per_request=asked_criteria / verifier if verifier else 0.0,
    )


def judge_calls(prompt: Prompt, settings: ReferenceSettings) -> int:
    """Return the judge's requests for a prompt: each pair in both orders, none where labels order the candidates."""
    if choose_judge(prompt, settings.judge) is not JudgeSetting.MODEL:
        return 0
    n = len(prompt.candidates)
    return 2 * min(n * (n - 1) // 2, pair_budget(n, settings))


def least_calls(prompt: Prompt, settings: SearchSettings, holdout: HoldoutSettings) -> int:
    """Return the smallest budget with which a first rubric of usual size can be graded, the conclusion's share kept back."""
    sizes, grading = _sizes(prompt, holdout), settings.grading
    reserve = REQUESTS_PER_CANDIDATE * (grading.finalist_votes * sizes.visible + grading.holdout_votes * sizes.hidden)
    first = 0 if settings.initializer.initializer_strategy is InitializerStrategy.PRESET else 1
    return first + reserve + grading.num_votes * sizes.visible * _requests(FIRST_CRITERIA, grading)


def _sizes(prompt: Prompt, holdout: HoldoutSettings) -> _Sizes:
    hidden = len(hidden_candidates(prompt, holdout))
    return _Sizes(len(prompt.candidates) - hidden, hidden)


def _proposals_by_generation(settings: SearchSettings, structure: Structure) -> list[float]:
    """Return how often the proposer is asked in each generation; `weight_perturb` needs no one."""
    limit = settings.stop.max_generations
    generations = structure.generations if limit is None else min(limit, structure.generations)
    if structure.mode is Mode.ITERATIVE:
        return [1.0] * generations
    count = settings.evolution.mutations_per_round
    if settings.mutation.adaptive_mutation is not Schedule.FIXED:
        return [count * (1 - 1 / len(SCHEDULED))] * generations
    modes = [SCHEDULED[place % len(SCHEDULED)] for place in range(count * generations)]
    return [
        float(sum(mode is not MutationMode.WEIGHT_PERTURB for mode in modes[start : start + count]))
        for start in range(0, count * generations, count or 1)
    ]


def _probe_calls(sizes: _Sizes, settings: SearchSettings, criteria: float) -> int:
    """Return the requests that probing the best rubric takes; there are none where a prompt's budget is spent."""
    variants = len(Probe) * min(settings.probing.probe_candidates, sizes.visible)
    return variants * settings.grading.num_votes * _requests(criteria, settings.grading)


def _requests(criteria: float, grading: GradingSettings) -> int:
    """Return the requests that these criteria take for one candidate and vote."""
    return math.ceil(criteria / (1 if grading.grading is Grading.PER_CRITERION else grading.criteria_per_call))


def _requests_for_children(children: float, grading: GradingSettings) -> float:
    if grading.grading is Grading.PER_RUBRIC:
        return children * _requests(PROPOSED_CRITERIA, grading)
    return _requests(children * PROPOSED_CRITERIA, grading)


def _last_sizes(known: float, settings: SearchSettings, structure: Structure) -> tuple[float, float]:
    """Return the criteria of all finalists together, and those of the best and the first rubric."""
    most = settings.evolution.max_criteria
    if structure.mode is Mode.ITERATIVE:
        # About half of the refinements make the rubric better, and only those stay.
        kept = 0.5 if settings.refinement.accept_only_if_improve else 1.0
        grown = min(most, FIRST_CRITERIA + kept * (known - FIRST_CRITERIA))
        return grown, grown
    if MutationMode.GATHER in settings.evolution.free_modes:
        # The best has nearly all that is known and earns weight; the others, and the first, are parts of it.
        return min(known, most), min(known, most)
    alone = FIRST_CRITERIA + PROPOSED_CRITERIA * settings.evolution.finalists
    return min(known, alone), min(known, FIRST_CRITERIA + 2 * PROPOSED_CRITERIA)
