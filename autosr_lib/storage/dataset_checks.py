"""Checks that turn raw prompts into prompts: every fault has a location, and no value is converted silently."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.storage.raw_prompts import LABELS, Note, RawPrompt
from autosr_lib.storage.strict_json import (
    HugeNumber,
    find_repeated_keys,
    find_value_faults,
    key_location,
    preview,
)

_PROMPT_KEYS = ("prompt_id", "prompt", "candidates", "metadata")
_CANDIDATE_KEYS = ("candidate_id", "text", "source", "metadata")
_OR_SAMPLE = ", or response_models that answer the prompt"


@dataclass(frozen=True)
class CheckedPrompt:
    """A prompt, or the faults that make it unusable."""

    location: str
    """Where the prompt is in its file."""
    prompt: Prompt | None
    """None if there are faults."""
    faults: tuple[str, ...]
    notes: tuple[Note, ...]
    """Warnings about a prompt without faults."""


@dataclass
class _PromptFindings:
    """The faults and notes of one prompt, collected while it is checked."""

    faults: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def check_prompts(raw_prompts: Iterable[RawPrompt], min_candidates: int) -> Iterator[CheckedPrompt]:
    """Yield the result of checking each raw prompt, in order; of prompts with the same id only the first is valid.

    >>> raw = RawPrompt("line 1: ", {"prompt_id": "p1", "prompt": 7})
    >>> next(check_prompts([raw], min_candidates=0)).faults
    ('line 1: prompt: 7 is not text; put it in quotes',)
    """
    first_locations: dict[str, str] = {}
    for raw in raw_prompts:
        yield _check_prompt(raw, min_candidates, first_locations)


def _check_prompt(raw: RawPrompt, min_candidates: int, first_locations: dict[str, str]) -> CheckedPrompt:
    prefix, location = raw.field_prefix, _location(raw.field_prefix)
    findings = _PromptFindings(list(raw.faults))
    if not isinstance(raw.fields, Mapping):
        if not raw.faults:
            keys = ", ".join(_PROMPT_KEYS)
            findings.faults.append(f"{location}: {preview(raw.fields)} is not a mapping; a prompt has {keys}")
        return CheckedPrompt(location, None, tuple(findings.faults), ())
    _check_keys(raw.fields, prefix, _PROMPT_KEYS, findings)
    prompt_id = _read_id(raw.fields, "prompt_id", prefix, first_locations, findings)
    text = _read_text(raw.fields, "prompt", prefix, findings)
    candidates = _read_candidates(raw.fields.get("candidates"), raw, min_candidates, findings)
    metadata = _read_metadata(raw.fields, prefix, findings)
    if findings.faults:
        return CheckedPrompt(location, None, tuple(findings.faults), ())
    if not text.strip():
        findings.notes.append(Note("blank prompt", f"{prefix}prompt: contains only white space"))
    _note_partial_labels(location, candidates, findings)
    prompt = Prompt(prompt_id=prompt_id, prompt=text, candidates=candidates, metadata=metadata)
    return CheckedPrompt(location, prompt, (), tuple(findings.notes))


def _read_candidates(
    values: object, raw: RawPrompt, min_candidates: int, findings: _PromptFindings
) -> tuple[Candidate, ...]:
    location = f"{raw.field_prefix}candidates"
    if values is None and not min_candidates:
        return ()
    if not isinstance(values, list | tuple):
        problem = "is missing" if values is None else f"{preview(values)} is not a list"
        findings.faults.append(f"{location}: {problem}; give a list of at least {min_candidates}{_OR_SAMPLE}")
        return ()
    # Faulty rows of a flat file are not in `values`, so the prompt may look shorter than it is.
    if len(values) < min_candidates and not raw.faults:
        findings.faults.append(f"{location}: {len(values)} is too few; give at least {min_candidates}{_OR_SAMPLE}")
    prefixes = raw.candidate_prefixes or tuple(f"{location}[{i}]." for i in range(len(values)))
    first_locations: dict[str, str] = {}
    candidates = [
        _read_candidate(value, prefix, first_locations, findings)
        for prefix, value in zip(prefixes, values, strict=True)
    ]
    return tuple(candidate for candidate in candidates if candidate is not None)


def _read_candidate(
    value: object, prefix: str, first_locations: dict[str, str], findings: _PromptFindings
) -> Candidate | None:
    if not isinstance(value, Mapping):
        keys = ", ".join(_CANDIDATE_KEYS)
        findings.faults.append(f"{_location(prefix)}: {preview(value)} is not a mapping; a candidate has {keys}")
        return None
    faults_before = len(findings.faults)
    _check_keys(value, prefix, _CANDIDATE_KEYS, findings)
    candidate_id = _read_id(value, "candidate_id", prefix, first_locations, findings)
    text = _read_text(value, "text", prefix, findings, may_be_empty=True)
    source = _read_text(value, "source", prefix, findings, may_be_empty=True) if value.get("source") is not None else ""
    metadata = _with_numeric_labels(_read_metadata(value, prefix, findings), prefix, findings)
    if len(findings.faults) > faults_before:
        return None
    if not text.strip():
        findings.notes.append(Note("empty text", f"{prefix}text: is empty"))
    return Candidate(candidate_id=candidate_id, text=text, source=source, metadata=metadata)


def _check_keys(
    fields: Mapping[Any, Any], prefix: str, allowed_keys: tuple[str, ...], findings: _PromptFindings
) -> None:
    findings.faults += find_repeated_keys(_location(prefix), fields)
    for key in fields:
        if key in allowed_keys:
            continue
        location = prefix + key_location("", key)[1:]
        findings.faults += find_value_faults(location, fields[key])
        hint = f"; a label belongs in metadata.{key}" if key in LABELS else ""
        findings.notes.append(Note(f"unknown key {preview(key)}", f"{location}: unknown key, not read{hint}"))


def _read_id(
    fields: Mapping[Any, Any], key: str, prefix: str, first_locations: dict[str, str], findings: _PromptFindings
) -> str:
    """Return the id under `key`, or "" after a fault; `first_locations` has the location of each id so far."""
    value = _read_text(fields, key, prefix, findings)
    location = _location(prefix)
    if value and (first := first_locations.setdefault(value, location)) != location:
        findings.faults.append(f"{prefix}{key}: {preview(value)} is also the id of {first}; give each its own")
    return value


def _read_text(
    fields: Mapping[Any, Any], key: str, prefix: str, findings: _PromptFindings, *, may_be_empty: bool = False
) -> str:
    """Return the text under `key`, or "" after a fault."""
    value = fields.get(key)
    location = f"{prefix}{key}"
    if value is None:
        findings.faults.append(f"{location}: is missing; give text")
    elif not isinstance(value, str):
        hint = "put it in quotes" if isinstance(value, int | float) else "give text"
        findings.faults.append(f"{location}: {preview(value)} is not text; {hint}")
    elif faults := find_value_faults(location, value):
        findings.faults += faults
    elif value or may_be_empty:
        return value
    else:
        findings.faults.append(f"{location}: is empty; give text")
    return ""


def _read_metadata(fields: Mapping[Any, Any], prefix: str, findings: _PromptFindings) -> dict[str, Any]:
    value, location = fields.get("metadata"), f"{prefix}metadata"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        findings.faults.append(f"{location}: {preview(value)} is not a mapping; give names with values")
        return {}
    findings.faults += find_value_faults(location, value)
    return dict(value)


def _with_numeric_labels(metadata: dict[str, Any], prefix: str, findings: _PromptFindings) -> dict[str, Any]:
    """Return `metadata` with the rank as an int and the quality as a float; labels that are null are left out."""
    for label in LABELS:
        if label not in metadata:
            continue
        value, location = metadata.pop(label), f"{prefix}metadata.{label}"
        if (
            value is None
            or isinstance(value, HugeNumber)
            or (isinstance(value, int | float) and find_value_faults(location, value))
        ):
            continue  # absent, or `_read_metadata` has already reported that the number cannot be stored
        if isinstance(value, bool) or not isinstance(value, int | float):
            findings.faults.append(
                f"{location}: {preview(value)} is not a number; give one without quotes, or leave it out"
            )
        elif label == "quality":
            metadata[label] = float(value)
        elif value < 1 or value != int(value):
            findings.faults.append(f"{location}: {preview(value)} is not a rank; give an integer from 1, the best")
        else:
            metadata[label] = int(value)
    return metadata


def _note_partial_labels(location: str, candidates: tuple[Candidate, ...], findings: _PromptFindings) -> None:
    for label in LABELS:
        labelled = sum(label in candidate.metadata for candidate in candidates)
        if 0 < labelled < len(candidates):
            missing = len(candidates) - labelled
            message = f"{missing} of {len(candidates)} candidates have no {label}, so {label} is not used here"
            findings.notes.append(Note(f"partial {label}", f"{location}: {message}"))


def _location(field_prefix: str) -> str:
    """Return the location of a prompt or candidate, from the prefix of its fields' locations."""
    return field_prefix.rstrip(".: ")
