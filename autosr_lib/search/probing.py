"""Whether a chosen rubric can be gamed: variants of the best responses, graded under it as responses are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.errors import BudgetExhausted
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.evaluation.probes import Probe, probes_of
from autosr_lib.evaluation.reference import PromptPreferences
from autosr_lib.search.conclusion import Conclusion
from autosr_lib.search.grading import grade, missing, parcels
from autosr_lib.search.population import score_rubrics
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import Probing
from autosr_lib.search.state import SearchContext, State


@dataclass(frozen=True)
class Probed:
    """One variant of a response: what it scores beside the response itself; None where it is unscored."""

    candidate_id: str
    probe: Probe
    score: float | None
    variant_score: float | None


@dataclass(frozen=True)
class ProbeReport:
    """What the probes of a rubric came to; without any, nothing was tried."""

    probed: tuple[Probed, ...] = ()
    calls: int = 0
    """Requests to the verifier; not part of the search's."""
    is_whole: bool = True
    """Whether nothing is to be asked again."""
    gamed_by: tuple[Probe, ...] = ()
    """Kinds of variants whose score rises, on average over the responses, by more than the margin."""


NOT_PROBED = ProbeReport()


async def probe_rubric(context: SearchContext, state: State, conclusion: Conclusion) -> ProbeReport:
    """Return how the probes of the best responses score under the best rubric.

    Measured criteria cost nothing; a rubric that needs a verifier is probed only where the settings ask for it, and
    only with what is left of the prompt's budget.
    """
    settings, rubric = context.settings.probing, conclusion.rubric
    is_free = all(one.measure is not None for one in rubric.criteria)
    if settings.probing is Probing.OFF or (settings.probing is Probing.FREE and not is_free):
        return NOT_PROBED
    places = _tail(context, settings.probe_candidates)
    candidates = [context.prepared.prompt.candidates[place] for place in places]
    tried = [(one, probe, text) for one in candidates for probe, text in probes_of(one.text, rubric).items()]
    if not tried:
        return NOT_PROBED
    variants = _variants(context, [text for _, _, text in tried])
    bank = GradeBank(len(tried), len(context.all_votes)).with_criteria(rubric.criteria, variants.prepared.texts)
    needs = missing(bank, [rubric], range(len(tried)), context.votes)
    asked, budget = len(parcels(variants, needs)), context.settings.stop.max_calls_per_prompt
    if budget is not None and (state.calls + conclusion.calls).total + asked > budget:
        return NOT_PROBED
    try:
        bank, calls = await grade(variants, bank, needs)
    except BudgetExhausted:
        return ProbeReport(is_whole=False)
    votes, aggregate = context.votes, context.settings.grading.aggregate
    after = score_rubrics([rubric], bank, range(len(tried)), votes, aggregate).score[0]
    before = score_rubrics([rubric], conclusion.bank, places, votes, aggregate).score[0]
    known = dict(zip((one.candidate_id for one in candidates), before.tolist(), strict=True))
    probed = tuple(
        Probed(one.candidate_id, probe, _number(known[one.candidate_id]), _number(score))
        for (one, probe, _), score in zip(tried, after.tolist(), strict=True)
    )
    gamed_by = tuple(probe for probe, rise in _rises(probed).items() if rise > settings.probe_margin)
    return ProbeReport(probed, calls.verifier, not calls.ungraded, gamed_by)


def _rises(probed: Iterable[Probed]) -> dict[Probe, float]:
    """Return by how much each probe raises the score, on average over the responses; unscored ones are left out."""
    found: dict[Probe, list[float]] = {}
    for one in probed:
        if one.score is not None and one.variant_score is not None:
            found.setdefault(one.probe, []).append(one.variant_score - one.score)
    return {probe: float(np.mean(values)) for probe, values in found.items()}


def _tail(context: SearchContext, count: int) -> list[int]:
    """Return the places of the visible candidates that the reference holds best, those without a text left out."""
    prepared = context.prepared
    order = np.argsort(-prepared.reference.quantiles, kind="stable")
    places = [int(place) for place in prepared.visible[order]]
    return [place for place in places if prepared.prompt.candidates[place].text.strip()][:count]


def _variants(context: SearchContext, texts: list[str]) -> SearchContext:
    """Return the context of a prompt that has these texts for candidates; nothing is held as true of them."""
    prompt = context.prepared.prompt
    candidates = tuple(Candidate(candidate_id=str(n), text=text) for n, text in enumerate(texts))
    made = Prompt(prompt_id=prompt.prompt_id, prompt=prompt.prompt, candidates=candidates)
    nothing = PromptPreferences(context.prepared.preferences.judge, ())
    return replace(context, prepared=PreparedPrompt(made, nothing, frozenset(), context.prepared.objective))


def _number(score: float) -> float | None:
    return None if np.isnan(score) else score
