"""Input fingerprints: the hash of all that a stored row depends on, known before any work is done.

A prompt's fingerprints form a chain, preferences → initial rubrics → generation 1 … N → best, each the hash of the one
before and of the settings that reach it. A row whose fingerprint is the wanted one is up to date, and so is all that
it came from.
"""

from collections.abc import Mapping
from typing import Any

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.domain.prompt import Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.responses import needs_responses
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings, ResponseSettings
from autosr_lib.search.settings import Mode, Schedule, SearchSettings, Structure

METHOD_VERSION = "2"
"""Raised when the same settings and replies would give other results."""

Identity = Mapping[str, Any]
"""By role, what is asked: enough to tell whether the same request would be answered by the same model."""

_AT_THE_END: dict[str, Any] = {
    "evolution": {"finalists", "refit_on_all"},
    "grading": {"holdout_votes"},
    "probing": True,
}
_FROM_GENERATION_ONE = ("stagnation_generations", "stop_when_distinguished")


def candidates_fingerprint(prompt: Prompt, pool: ResponseSettings, responder: Any) -> str:
    """Return the fingerprint of what is sampled for a prompt; one that has enough candidates is left alone by the pool."""
    told = (pool.model_dump(mode="json"), responder) if needs_responses(prompt) else None
    return fingerprint("candidates", METHOD_VERSION, prompt.fingerprint, told)


def preferences_fingerprint(prompt: Prompt, reference: ReferenceSettings, judge: Any) -> str:
    """Return the fingerprint of a prompt's preferences."""
    return fingerprint("preferences", METHOD_VERSION, prompt.fingerprint, reference.model_dump(mode="json"), judge)


def generation_fingerprints(
    preferences: str,
    holdout: HoldoutSettings,
    settings: SearchSettings,
    structure: Structure,
    identity: Identity,
    preset: Rubric | None = None,
    dataset: str = "",
) -> list[str]:
    """Return the fingerprints of generation 0 (the initial rubrics), 1, … of one prompt.

    Args:
        preferences: the fingerprint of its preferences, which covers the prompt.
        holdout: what is hidden.
        settings: of the search.
        structure: of the search.
        identity: who answers the roles.
        preset: the rubric it starts from, if that is given.
        dataset: in scope `global_batch`, a name for all prompts together: each depends on the others.
    """
    # A run has more settings, where it writes and how it asks; who answers is told by `identity`.
    searching = set(SearchSettings.model_fields)
    told = settings.model_dump(mode="json", include=searching, exclude={**_AT_THE_END, "stop": {"max_generations"}})
    later: dict[str, Any] = {"selection": told.pop("selection")}
    # The others reach generation 0 too: a budget ends it early, a margin decides whether it counts as distinguished.
    later["stop"] = {name: told["stop"].pop(name) for name in _FROM_GENERATION_ONE}
    if settings.stop.max_calls_per_prompt is not None:
        told["kept_back"] = settings.grading.holdout_votes
    told["initializer"].pop("preset_rubrics")
    start = preset and preset.model_dump(mode="json")
    known = [
        fingerprint(
            "initial", METHOD_VERSION, preferences, holdout.model_dump(mode="json"), str(structure.mode), told, start,
            {role: identity[role] for role in ("initializer", "proposer", "verifier")},
        )
    ]  # fmt: skip
    later |= {"scope": str(structure.scope), "dataset": dataset}
    # Only one schedule looks at how many generations there are to be: the others' rows outlive a change of it.
    if structure.mode is Mode.EVOLUTIONARY and settings.mutation.adaptive_mutation is Schedule.EXPLORATION_DECAY:
        later["generations"] = structure.generations
    limit = settings.stop.max_generations
    for number in range(1, structure.generations + 1):
        is_idle = limit is not None and number > limit
        known.append(fingerprint("generation", number, known[-1], later, is_idle))
    return known


def best_fingerprint(last: str, settings: SearchSettings) -> str:
    """Return the fingerprint of a prompt's best rubric, from that of its last generation."""
    told = settings.model_dump(mode="json", include=_AT_THE_END)
    return fingerprint("best", last, told)
