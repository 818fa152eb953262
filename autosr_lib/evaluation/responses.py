"""Candidates for prompts that have too few: sampled from a pool of models, great and diverse."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.errors import ReplyError, RoleError
from autosr_lib.evaluation.roles import Responder, RespondRequest
from autosr_lib.evaluation.settings import ResponseSettings

MIN_CANDIDATES = 2
"""Prompts with fewer cannot be searched."""
SAMPLE = "sample"
"""Names, in a candidate's metadata, which sample of its model it is; others have no such entry."""
EXPECTED_TEXT = "x" * 2400
"""As long as a response that nobody has written yet is taken to be."""


@dataclass(frozen=True)
class Sampled:
    """The candidates that a prompt has got, and what became of the others."""

    candidates: tuple[Candidate, ...]
    calls: int
    failed: int
    """Samples that brought no response; asked again in the next run."""
    repeated: int
    """Responses that were dropped, since their text was there already."""


def needs_responses(prompt: Prompt) -> bool:
    """Return whether a prompt has too few candidates to be searched."""
    return len(prompt.candidates) < MIN_CANDIDATES


async def sample_candidates(prompt: Prompt, settings: ResponseSettings, responder: Responder) -> Sampled:
    """Return candidates of the pool for a prompt, each text once; none where it has enough of its own.

    Raises:
        RoleError: with them it would still have fewer than two.
        EndpointError: the endpoint will not answer; the run ends.
        BudgetExhausted: the run's budget is spent.
    """
    if not needs_responses(prompt):
        return Sampled((), 0, 0, 0)
    plan = _plan(settings)
    texts = await asyncio.gather(*(_ask(prompt, model, sample, responder) for model, sample in plan))
    ids = {candidate.candidate_id for candidate in prompt.candidates}
    known = {candidate.text.strip() for candidate in prompt.candidates}
    added: list[Candidate] = []
    for (model, sample), text in zip(plan, texts, strict=True):
        if text is not None and text.strip() not in known:
            known.add(text.strip())
            added.append(_candidate(model, sample, text, ids))
    failed = texts.count(None)
    repeated = len(plan) - failed - len(added)
    if (there := len(prompt.candidates) + len(added)) < MIN_CANDIDATES:
        raise RoleError(
            f"{len(plan)} samples of {len(settings.response_models)} models leave prompt {prompt.prompt_id!r} with "
            f"{there} candidates ({failed} without a reply, {repeated} repeated); allowed: two, so name more "
            "response_models, or a higher role_responder.temperature"
        )
    return Sampled(tuple(added), len(plan), failed, repeated)


def sampling_calls(prompt: Prompt, settings: ResponseSettings) -> int:
    """Return the requests that a prompt's candidates take, or have taken: none where it has enough of its own."""
    is_sampled = needs_responses(prompt) or any(SAMPLE in candidate.metadata for candidate in prompt.candidates)
    return settings.samples if is_sampled else 0


def foreseen(prompt: Prompt, settings: ResponseSettings) -> Prompt:
    """Return the prompt as it will be once it has candidates, to reckon with; their texts are of a usual length."""
    if not needs_responses(prompt) or not settings.samples:
        return prompt
    ids = {candidate.candidate_id for candidate in prompt.candidates}
    added = [_candidate(model, sample, EXPECTED_TEXT, ids) for model, sample in _plan(settings)]
    return with_candidates(prompt, added)


def with_candidates(prompt: Prompt, added: Sequence[Candidate]) -> Prompt:
    """Return the prompt with more candidates."""
    return Prompt(
        prompt_id=prompt.prompt_id,
        prompt=prompt.prompt,
        candidates=(*prompt.candidates, *added),
        metadata=prompt.metadata,
    )


def _plan(settings: ResponseSettings) -> list[tuple[str, int]]:
    return [(model, sample) for sample in range(settings.responses_per_model) for model in settings.response_models]


def _candidate(model: str, sample: int, text: str, taken: set[str]) -> Candidate:
    name = f"{model}#{sample + 1}"
    while name in taken:
        name += "+"
    taken.add(name)
    return Candidate(candidate_id=name, text=text, source=model, metadata={SAMPLE: sample + 1})


async def _ask(prompt: Prompt, model: str, sample: int, responder: Responder) -> str | None:
    try:
        return await responder.respond(RespondRequest(prompt.prompt_id, prompt.prompt, model, sample))
    except ReplyError:
        return None
