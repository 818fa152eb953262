"""Sampling of candidates from a pool of models, for prompts that have too few."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.wording import plural
from autosr_lib.errors import ReplyError, RoleError
from autosr_lib.evaluation.roles import Responder, RespondRequest
from autosr_lib.evaluation.settings import ResponseSettings

MIN_CANDIDATES = 2
"""Minimum number of candidates of a prompt that can be searched."""
SAMPLE = "sample"
"""Metadata key of a sampled candidate, with the number of the sample; other candidates do not have it."""
EXPECTED_TEXT = "x" * 2400
"""Stands for a response that is not sampled yet when costs are estimated."""


@dataclass(frozen=True)
class SamplingResult:
    """The candidates sampled for a prompt, and how many samples gave none."""

    candidates: tuple[Candidate, ...]
    calls: int
    failed: int
    """Samples without a readable reply; the next run tries them again."""
    repeated: int
    """Responses that were dropped because another candidate has the same text."""


def needs_responses(prompt: Prompt) -> bool:
    """Return whether a prompt has too few candidates to be searched.

    >>> needs_responses(Prompt(prompt_id="p1", prompt="Why?", candidates=()))
    True
    """
    return len(prompt.candidates) < MIN_CANDIDATES


async def sample_candidates(prompt: Prompt, settings: ResponseSettings, responder: Responder) -> SamplingResult:
    """Return new candidates with distinct texts for a prompt; none if it has enough of its own.

    Raises:
        RoleError: the prompt would still have fewer than two candidates.
        EndpointError: the endpoint does not answer; the run ends.
        BudgetExhausted: the run's budget is spent.
    """
    if not needs_responses(prompt):
        return SamplingResult((), 0, 0, 0)
    plan = _plan(settings)
    texts = await asyncio.gather(*(_sample(prompt, model, sample, responder) for model, sample in plan))
    ids = {candidate.candidate_id for candidate in prompt.candidates}
    seen = {candidate.text.strip() for candidate in prompt.candidates}
    added: list[Candidate] = []
    for (model, sample), text in zip(plan, texts, strict=True):
        if text is not None and text.strip() not in seen:
            seen.add(text.strip())
            added.append(_candidate(model, sample, text, ids))
    failed = texts.count(None)
    repeated = len(plan) - failed - len(added)
    if (total := len(prompt.candidates) + len(added)) < MIN_CANDIDATES:
        raise RoleError(
            f"{plural(len(plan), 'sample')} of {plural(len(settings.response_models), 'model')} leave prompt "
            f"{prompt.prompt_id!r} with {plural(total, 'candidate')} ({failed} without a reply, {repeated} repeated); "
            "at least 2 are needed: name more response_models, or raise role_responder.temperature"
        )
    return SamplingResult(tuple(added), len(plan), failed, repeated)


def sampling_calls(prompt: Prompt, settings: ResponseSettings) -> int:
    """Return the number of requests for a prompt's sampled candidates, whether sent or still to send; 0 without any."""
    is_sampled = needs_responses(prompt) or any(SAMPLE in candidate.metadata for candidate in prompt.candidates)
    return settings.samples if is_sampled else 0


def with_expected_candidates(prompt: Prompt, settings: ResponseSettings) -> Prompt:
    """Return the prompt with stand-ins for the candidates to be sampled, for estimates of the cost of its search.

    >>> settings = ResponseSettings(response_models=("model-a", "model-b"))
    >>> prompt = with_expected_candidates(Prompt(prompt_id="p1", prompt="Why?", candidates=()), settings)
    >>> [candidate.candidate_id for candidate in prompt.candidates]
    ['model-a#1', 'model-b#1']
    """
    if not needs_responses(prompt) or not settings.samples:
        return prompt
    ids = {candidate.candidate_id for candidate in prompt.candidates}
    added = [_candidate(model, sample, EXPECTED_TEXT, ids) for model, sample in _plan(settings)]
    return with_candidates(prompt, added)


def with_candidates(prompt: Prompt, added: Sequence[Candidate]) -> Prompt:
    """Return the prompt with more candidates after its own."""
    return Prompt(
        prompt_id=prompt.prompt_id,
        prompt=prompt.prompt,
        candidates=(*prompt.candidates, *added),
        metadata=prompt.metadata,
    )


def _plan(settings: ResponseSettings) -> list[tuple[str, int]]:
    """Return (model, number of the sample) of every request."""
    return [(model, sample) for sample in range(settings.responses_per_model) for model in settings.response_models]


def _candidate(model: str, sample: int, text: str, used_ids: set[str]) -> Candidate:
    """Return a sampled candidate with an unused id, which is added to `used_ids`."""
    candidate_id = f"{model}#{sample + 1}"
    while candidate_id in used_ids:
        candidate_id += "+"
    used_ids.add(candidate_id)
    return Candidate(candidate_id=candidate_id, text=text, source=model, metadata={SAMPLE: sample + 1})


async def _sample(prompt: Prompt, model: str, sample: int, responder: Responder) -> str | None:
    try:
        return await responder.respond(RespondRequest(prompt.prompt_id, prompt.prompt, model, sample))
    except ReplyError:
        return None
