"""Probing: whether a chosen rubric can be gamed by variants of the best responses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import BudgetExhausted
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.evaluation.probes import Probe, make_probes
from autosr_lib.evaluation.reference import PromptPreferences
from autosr_lib.search.budget import is_affordable
from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.context import SearchContext
from autosr_lib.search.grading import grade, missing_grades, plan_requests
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import Probing
from autosr_lib.search.state import SearchState


@dataclass(frozen=True)
class ProbeResult:
    """The score of one variant of a response beside the score of the response; None where unscored."""

    candidate_id: str
    probe: Probe
    score: float | None
    variant_score: float | None


@dataclass(frozen=True)
class ProbeReport:
    """The results of probing a rubric; without any, the rubric was not probed."""

    results: tuple[ProbeResult, ...] = ()
    calls: int = 0
    """Requests to the verifier; not counted among those of the search."""
    is_complete: bool = True
    """Whether every requested grade was received."""
    gamed_by: tuple[Probe, ...] = ()
    """Kinds of variants that raise the score by more than the margin, on average over the responses."""


NOT_PROBED = ProbeReport()


class _Variant(NamedTuple):
    position: int
    """Position of the response in the prompt."""
    probe: Probe
    text: str


async def probe_rubric(context: SearchContext, state: SearchState, conclusion: Conclusion) -> ProbeReport:
    """Return how variants of the best responses score under the best rubric, compared with the responses.

    A rubric that needs a verifier is probed only if the settings ask for it, within what is left of the prompt's
    budget. A rubric whose criteria are all measured costs no request.
    """
    settings, rubric = context.settings.probing, conclusion.rubric
    is_measured = all(criterion.measure is not None for criterion in rubric.criteria)
    if settings.probing is Probing.OFF or (settings.probing is Probing.FREE and not is_measured):
        return NOT_PROBED
    variants = _variants(context, rubric)
    if not variants:
        return NOT_PROBED
    variant_context = _context_of(context, [variant.text for variant in variants])
    bank = GradeBank(len(variants), len(context.all_votes))
    bank = bank.with_criteria(rubric.criteria, variant_context.prepared.texts)
    needs = missing_grades(bank, [rubric], range(len(variants)), context.votes)
    requests = len(plan_requests(variant_context, needs))
    if not is_affordable(context, state.calls + conclusion.calls, requests):
        return NOT_PROBED
    try:
        bank, calls = await grade(variant_context, bank, needs)
    except BudgetExhausted:
        return ProbeReport(is_complete=False)
    positions = list(dict.fromkeys(variant.position for variant in variants))
    scores = context.graded(conclusion.bank).score([rubric], positions).score[0].tolist()
    variant_scores = variant_context.graded(bank).score([rubric]).score[0].tolist()
    results = _results(context, variants, dict(zip(positions, scores, strict=True)), variant_scores)
    gamed_by = tuple(probe for probe, rise in _mean_rises(results).items() if rise > settings.probe_margin)
    return ProbeReport(results, calls.verifier, not calls.ungraded, gamed_by)


def _variants(context: SearchContext, rubric: Rubric) -> list[_Variant]:
    """Return every variant of the best visible responses."""
    candidates = context.prepared.prompt.candidates
    return [
        _Variant(position, probe, text)
        for position in _best_positions(context, context.settings.probing.probe_candidates)
        for probe, text in make_probes(candidates[position].text, rubric).items()
    ]


def _best_positions(context: SearchContext, count: int) -> list[int]:
    """Return the positions of the visible candidates that are best by the reference, without those of empty text."""
    prepared = context.prepared
    order = np.argsort(-prepared.reference.quantiles, kind="stable")
    positions = [int(position) for position in prepared.visible[order]]
    return [position for position in positions if prepared.prompt.candidates[position].text.strip()][:count]


def _context_of(context: SearchContext, texts: Sequence[str]) -> SearchContext:
    """Return the context of a prompt with these texts as its candidates, all visible and without preferences."""
    prompt = context.prepared.prompt
    candidates = tuple(Candidate(candidate_id=str(n), text=text) for n, text in enumerate(texts))
    variants = Prompt(prompt_id=prompt.prompt_id, prompt=prompt.prompt, candidates=candidates)
    preferences = PromptPreferences(context.prepared.preferences.judge, ())
    return replace(context, prepared=PreparedPrompt(variants, preferences, frozenset(), context.prepared.objective))


def _results(
    context: SearchContext, variants: Sequence[_Variant], scores: Mapping[int, float], variant_scores: Sequence[float]
) -> tuple[ProbeResult, ...]:
    """Return the result of each variant; `scores` holds those of the responses by position."""
    candidates = context.prepared.prompt.candidates
    return tuple(
        ProbeResult(
            candidates[variant.position].candidate_id,
            variant.probe,
            _or_none(scores[variant.position]),
            _or_none(variant_score),
        )
        for variant, variant_score in zip(variants, variant_scores, strict=True)
    )


def _or_none(score: float) -> float | None:
    return None if np.isnan(score) else score


def _mean_rises(results: Iterable[ProbeResult]) -> dict[Probe, float]:
    """Return by how much each probe raises the score on average, without unscored responses and variants."""
    rises: dict[Probe, list[float]] = {}
    for result in results:
        if result.score is not None and result.variant_score is not None:
            rises.setdefault(result.probe, []).append(result.variant_score - result.score)
    return {probe: float(np.mean(values)) for probe, values in rises.items()}
