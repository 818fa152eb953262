"""Input fingerprints: hashes of everything that a stored row depends on, computed before any work is done.

A prompt's fingerprints form a chain: preferences, initial rubrics, generations 1 … N, best rubric. Each is a hash of
the previous fingerprint and of the settings that affect its own step. A row is up to date if its stored fingerprint
equals the current one; everything that it was made from is then up to date as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.domain.prompt import Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.responses import needs_responses
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings, ResponseSettings
from autosr_lib.search.settings import Mode, Schedule, SearchSettings, Structure

METHOD_VERSION = "2"
"""Increased whenever the same settings and replies would give different results."""

RoleIdentities = Mapping[str, Any]
"""What answers each role, by role name: two equal identities answer the same request in the same way."""

_CONCLUSION_SETTINGS: dict[str, Any] = {
    "evolution": {"finalists", "refit_on_all"},
    "grading": {"holdout_votes"},
    "probing": True,
}
"""Settings that only affect the best rubric."""
_GENERATION_STOP_SETTINGS = ("stagnation_generations", "stop_when_distinguished")
"""Stop settings that do not affect generation 0. The others do: a budget ends it early, and the margin decides whether
it counts as distinguished.
"""


def candidates_fingerprint(prompt: Prompt, pool: ResponseSettings, responder: Any) -> str:
    """Return the fingerprint of the candidates sampled for a prompt.

    For a prompt that has enough candidates it does not depend on the pool.

    >>> from autosr_lib.domain.prompt import Candidate
    >>> candidates = tuple(Candidate(candidate_id=name, text=name) for name in "ab")
    >>> pools = ResponseSettings(), ResponseSettings(response_models=("small", "large"))
    >>> prompts = [Prompt(prompt_id="p", prompt="Explain rain.", candidates=texts) for texts in (candidates, ())]
    >>> [len({candidates_fingerprint(prompt, pool, None) for pool in pools}) for prompt in prompts]
    [1, 2]
    """
    inputs = (pool.model_dump(mode="json"), responder) if needs_responses(prompt) else None
    return fingerprint("candidates", METHOD_VERSION, prompt.fingerprint, inputs)


def preferences_fingerprint(prompt: Prompt, reference: ReferenceSettings, judge: Any) -> str:
    """Return the fingerprint of a prompt's preferences."""
    return fingerprint("preferences", METHOD_VERSION, prompt.fingerprint, reference.model_dump(mode="json"), judge)


@dataclass(frozen=True)
class FingerprintInputs:
    """Everything that a prompt's generations depend on beside its preferences."""

    holdout: HoldoutSettings
    settings: SearchSettings
    structure: Structure
    identities: RoleIdentities
    preset: Rubric | None = None
    """The rubric that the search starts from, if given."""
    dataset: str = ""
    """In scope `global_batch`, a digest of all prompts, since each prompt depends on the others."""


def generation_fingerprints(preferences: str, inputs: FingerprintInputs) -> list[str]:
    """Return the fingerprints of generation 0 (the initial rubrics), 1, … of one prompt.

    Args:
        preferences: the fingerprint of its preferences, which covers the prompt.
        inputs: everything else that the generations depend on.
    """
    initial, later = _settings_by_step(inputs)
    preset = inputs.preset and inputs.preset.model_dump(mode="json")
    roles = {role: inputs.identities[role] for role in ("initializer", "proposer", "verifier")}
    holdout, mode = inputs.holdout.model_dump(mode="json"), str(inputs.structure.mode)
    chain = [fingerprint("initial", METHOD_VERSION, preferences, holdout, mode, initial, preset, roles)]
    limit = inputs.settings.stop.max_generations
    for number in range(1, inputs.structure.generations + 1):
        is_skipped = limit is not None and number > limit
        chain.append(fingerprint("generation", number, chain[-1], later, is_skipped))
    return chain


def _settings_by_step(inputs: FingerprintInputs) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that affect every generation, and those that affect generation 1 and later only."""
    settings, structure = inputs.settings, inputs.structure
    # A run has more settings, such as its output file; the model that answers is covered by the identities.
    included = set(SearchSettings.model_fields)
    excluded = {**_CONCLUSION_SETTINGS, "stop": {"max_generations"}}
    initial = settings.model_dump(mode="json", include=included, exclude=excluded)
    later: dict[str, Any] = {"selection": initial.pop("selection")}
    later["stop"] = {name: initial["stop"].pop(name) for name in _GENERATION_STOP_SETTINGS}
    if settings.stop.max_calls_per_prompt is not None:
        initial["kept_back"] = settings.grading.holdout_votes
    initial["initializer"].pop("preset_rubrics")
    later |= {"scope": str(structure.scope), "dataset": inputs.dataset}
    # Only this schedule depends on the number of generations; rows of the others stay up to date when it changes.
    if structure.mode is Mode.EVOLUTIONARY and settings.mutation.adaptive_mutation is Schedule.EXPLORATION_DECAY:
        later["generations"] = structure.generations
    return initial, later


def best_fingerprint(last: str, settings: SearchSettings) -> str:
    """Return the fingerprint of a prompt's best rubric, from the fingerprint of its last generation."""
    return fingerprint("best", last, settings.model_dump(mode="json", include=_CONCLUSION_SETTINGS))
