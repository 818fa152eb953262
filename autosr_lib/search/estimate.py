"""The number of requests that the search of one prompt is expected to make, by role, estimated before it starts.

The estimate is for a prompt that is searched to its last generation; early stops, racing and cached replies lower it.
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

INITIAL_CRITERIA = 5
"""Criteria of an initial rubric: the templates ask for 5 to 8, and models tend to write few."""
PROPOSED_CRITERIA = 2
"""New criteria of a proposal: the templates ask for 1 to 3."""
ACCEPTED_REFINEMENTS = 0.5
"""Share of refinements that improve the rubric and so are kept, in mode `iterative`."""


@dataclass(frozen=True)
class ExpectedCalls:
    """The requests that one prompt is expected to make, by role."""

    initializer: float = 0.0
    proposer: float = 0.0
    verifier: float = 0.0
    judge: float = 0.0
    rubric_size: float = 0.0
    """Criteria of a rubric that the proposer is shown."""
    criteria_per_request: float = 0.0
    """Criteria in one request to the verifier."""

    @property
    def total(self) -> float:
        """Return the requests of the search; those of the judge are counted separately."""
        return self.initializer + self.proposer + self.verifier


@dataclass(frozen=True)
class _CandidateCounts:
    visible: int
    hidden: int


def expected_calls(
    prompt: Prompt,
    settings: SearchSettings,
    structure: Structure,
    holdout: HoldoutSettings,
    evolved_share: float = 1.0,
) -> ExpectedCalls:
    """Return the requests that the search of a prompt is expected to make, limited by its own budget.

    Args:
        prompt: with its candidates.
        settings: of the search.
        structure: of the search.
        holdout: which candidates are hidden.
        evolved_share: share of the generations in which the prompt is searched; below 1 in scope `global_batch`.
    """
    counts, grading = _count_candidates(prompt, holdout), settings.grading
    is_evolutionary = structure.mode is Mode.EVOLUTIONARY
    first_proposals = float(settings.initializer.initial_proposals) if is_evolutionary else 0.0
    later_proposals = _proposals_by_generation(settings, structure)
    proposals = first_proposals + evolved_share * sum(later_proposals)
    requests = _requests(INITIAL_CRITERIA, grading) + _requests_for_children(first_proposals, grading)
    requests += evolved_share * sum(_requests_for_children(count, grading) for count in later_proposals)
    criteria = INITIAL_CRITERIA + PROPOSED_CRITERIA * proposals
    finalist_criteria, best_criteria = _conclusion_criteria(criteria, settings, structure)
    votes_of_search = grading.num_votes * counts.visible
    fresh_votes, hidden_votes = grading.finalist_votes * counts.visible, grading.holdout_votes * counts.hidden
    verifier = (
        votes_of_search * requests
        + fresh_votes * _requests(finalist_criteria, grading)
        + hidden_votes * _requests(best_criteria, grading)
    )
    requested_grades: float = votes_of_search * criteria
    requested_grades += fresh_votes * finalist_criteria + hidden_votes * best_criteria
    initializer = _initializer_calls(settings)
    budget = settings.stop.max_calls_per_prompt
    scale = 1.0 if budget is None else min(1.0, budget / (initializer + proposals + verifier))
    probes = _probe_calls(counts, settings, best_criteria) if settings.probing.probing is Probing.ALL else 0
    return ExpectedCalls(
        initializer=initializer,
        proposer=proposals * scale,
        verifier=verifier * scale + probes,
        rubric_size=min(settings.evolution.max_criteria, (INITIAL_CRITERIA + criteria) / 2),
        criteria_per_request=requested_grades / verifier if verifier else 0.0,
    )


def judge_calls(prompt: Prompt, settings: ReferenceSettings) -> int:
    """Return the judge's requests for a prompt: each pair in both orders, or 0 if labels order the candidates.

    >>> from autosr_lib.domain.prompt import Candidate
    >>> candidates = tuple(Candidate(candidate_id=name, text=name) for name in "abc")
    >>> judge_calls(Prompt(prompt_id="p", prompt="Explain rain.", candidates=candidates), ReferenceSettings())
    6
    """
    if choose_judge(prompt, settings.judge) is not JudgeSetting.MODEL:
        return 0
    n = len(prompt.candidates)
    return 2 * min(n * (n - 1) // 2, pair_budget(n, settings))


def min_calls(prompt: Prompt, settings: SearchSettings, holdout: HoldoutSettings) -> int:
    """Return the smallest budget that pays for an initial rubric of usual size, its grading and the reserve.

    >>> from autosr_lib.domain.prompt import Candidate
    >>> candidates = tuple(Candidate(candidate_id=name, text=name) for name in "abc")
    >>> prompt = Prompt(prompt_id="p", prompt="Explain rain.", candidates=candidates)
    >>> min_calls(prompt, SearchSettings(), HoldoutSettings())
    10
    """
    counts, grading = _count_candidates(prompt, holdout), settings.grading
    reserve = REQUESTS_PER_CANDIDATE * (grading.finalist_votes * counts.visible + grading.holdout_votes * counts.hidden)
    initial = grading.num_votes * counts.visible * _requests(INITIAL_CRITERIA, grading)
    return _initializer_calls(settings) + reserve + initial


def _count_candidates(prompt: Prompt, holdout: HoldoutSettings) -> _CandidateCounts:
    hidden = len(hidden_candidates(prompt, holdout))
    return _CandidateCounts(len(prompt.candidates) - hidden, hidden)


def _initializer_calls(settings: SearchSettings) -> int:
    return 0 if settings.initializer.initializer_strategy is InitializerStrategy.PRESET else 1


def _proposals_by_generation(settings: SearchSettings, structure: Structure) -> list[float]:
    """Return the requests to the proposer in each generation; `weight_perturb` needs none."""
    limit = settings.stop.max_generations
    generations = structure.generations if limit is None else min(limit, structure.generations)
    if structure.mode is Mode.ITERATIVE:
        return [1.0] * generations
    count = settings.evolution.mutations_per_round
    if settings.mutation.adaptive_mutation is not Schedule.FIXED:
        return [count * (1 - 1 / len(SCHEDULED))] * generations
    modes = [SCHEDULED[i % len(SCHEDULED)] for i in range(count * generations)]
    return [
        float(sum(mode is not MutationMode.WEIGHT_PERTURB for mode in modes[start : start + count]))
        for start in range(0, count * generations, count or 1)
    ]


def _probe_calls(counts: _CandidateCounts, settings: SearchSettings, criteria: float) -> int:
    """Return the requests that probing the best rubric takes, if the prompt's budget is not spent."""
    variants = len(Probe) * min(settings.probing.probe_candidates, counts.visible)
    return variants * settings.grading.num_votes * _requests(criteria, settings.grading)


def _requests(criteria: float, grading: GradingSettings) -> int:
    """Return the number of requests that grade this many criteria for one candidate and vote."""
    return math.ceil(criteria / (1 if grading.grading is Grading.PER_CRITERION else grading.criteria_per_call))


def _requests_for_children(children: float, grading: GradingSettings) -> float:
    """Return the number of requests that grade the new criteria of this many siblings for one candidate and vote."""
    if grading.grading is Grading.PER_RUBRIC:
        return children * _requests(PROPOSED_CRITERIA, grading)
    return _requests(children * PROPOSED_CRITERIA, grading)


def _conclusion_criteria(criteria: float, settings: SearchSettings, structure: Structure) -> tuple[float, float]:
    """Return the number of distinct criteria of all finalists, and that of the best and the initial rubric.

    Args:
        criteria: the number of criteria in the bank at the end of the search.
        settings: of the search.
        structure: of the search.
    """
    limit = settings.evolution.max_criteria
    if structure.mode is Mode.ITERATIVE:
        accepted = ACCEPTED_REFINEMENTS if settings.refinement.accept_only_if_improve else 1.0
        grown = min(limit, INITIAL_CRITERIA + accepted * (criteria - INITIAL_CRITERIA))
        return grown, grown
    if MutationMode.GATHER in settings.evolution.free_modes:
        # The best rubric has nearly all criteria of the bank, and those of the others are among them.
        return min(criteria, limit), min(criteria, limit)
    finalists = INITIAL_CRITERIA + PROPOSED_CRITERIA * settings.evolution.finalists
    return min(criteria, finalists), min(criteria, INITIAL_CRITERIA + 2 * PROPOSED_CRITERIA)
