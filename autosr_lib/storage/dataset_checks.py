"""From raw prompts to prompts: every fault is named with its place, and nothing is converted in silence."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.storage.dataset_rows import LABELS, RawPrompt
from autosr_lib.storage.strict_json import HugeNumber, key_place, repeated_key_faults, shown, value_faults

PROMPT_KEYS = ("prompt_id", "prompt", "candidates", "metadata")
CANDIDATE_KEYS = ("candidate_id", "text", "source", "metadata")
_OR_SAMPLE = ", or response_models that answer the prompt"


@dataclass(frozen=True)
class CheckedPrompt:
    """A prompt, or the faults that forbid it; `notes` are (kind, sentence) warnings about a prompt that is fine."""

    place: str
    prompt: Prompt | None
    faults: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]


@dataclass
class _Findings:
    """What was noticed about one prompt so far."""

    faults: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def check_prompts(raw_prompts: Iterable[RawPrompt], min_candidates: int) -> Iterator[CheckedPrompt]:
    """Yield each raw prompt checked, in order; of prompts with the same id all but the first are faulty."""
    first_places: dict[str, str] = {}
    for raw in raw_prompts:
        yield _check_prompt(raw, min_candidates, first_places)


def _check_prompt(raw: RawPrompt, min_candidates: int, first_places: dict[str, str]) -> CheckedPrompt:
    place, findings = _bare(raw.place), _Findings(list(raw.faults))
    if not isinstance(raw.fields, Mapping):
        if not raw.faults:
            findings.faults.append(
                f"{place}: {shown(raw.fields)} is not a mapping; a prompt has {', '.join(PROMPT_KEYS)}"
            )
        return CheckedPrompt(place, None, tuple(findings.faults), ())
    _check_keys(raw.fields, raw.place, PROMPT_KEYS, findings)
    prompt_id = _id(raw.fields, "prompt_id", raw.place, first_places, findings)
    text = _text(raw.fields, "prompt", raw.place, findings)
    candidates = _candidates(raw.fields.get("candidates"), raw, min_candidates, findings)
    metadata = _metadata(raw.fields, raw.place, findings)
    if findings.faults:
        return CheckedPrompt(place, None, tuple(findings.faults), ())
    if not text.strip():
        findings.notes.append(("blank prompt", f"{raw.place}prompt: holds nothing but white space"))
    _note_partial_labels(place, candidates, findings)
    prompt = Prompt(prompt_id=prompt_id, prompt=text, candidates=candidates, metadata=metadata)
    return CheckedPrompt(place, prompt, (), tuple(findings.notes))


def _candidates(values: object, raw: RawPrompt, min_candidates: int, findings: _Findings) -> tuple[Candidate, ...]:
    place = f"{raw.place}candidates"
    if values is None and not min_candidates:
        return ()
    if not isinstance(values, list | tuple):
        problem = "is missing" if values is None else f"{shown(values)} is not a list"
        findings.faults.append(f"{place}: {problem}; give a list of at least {min_candidates}{_OR_SAMPLE}")
        return ()
    # Rows that were set aside as faulty are missing here, so their prompt may look shorter than it is.
    if len(values) < min_candidates and not raw.faults:
        findings.faults.append(f"{place}: {len(values)} is too few; give at least {min_candidates}{_OR_SAMPLE}")
    places = raw.candidate_places or tuple(f"{place}[{i}]." for i in range(len(values)))
    first_places: dict[str, str] = {}
    read = [_candidate(value, at, first_places, findings) for at, value in zip(places, values, strict=True)]
    return tuple(candidate for candidate in read if candidate is not None)


def _candidate(value: object, place: str, first_places: dict[str, str], findings: _Findings) -> Candidate | None:
    if not isinstance(value, Mapping):
        keys = ", ".join(CANDIDATE_KEYS)
        findings.faults.append(f"{_bare(place)}: {shown(value)} is not a mapping; a candidate has {keys}")
        return None
    before = len(findings.faults)
    _check_keys(value, place, CANDIDATE_KEYS, findings)
    candidate_id = _id(value, "candidate_id", place, first_places, findings)
    text = _text(value, "text", place, findings, may_be_empty=True)
    source = _text(value, "source", place, findings, may_be_empty=True) if value.get("source") is not None else ""
    metadata = _labels(_metadata(value, place, findings), place, findings)
    if len(findings.faults) > before:
        return None
    if not text.strip():
        findings.notes.append(("empty text", f"{place}text: is empty"))
    return Candidate(candidate_id=candidate_id, text=text, source=source, metadata=metadata)


def _check_keys(fields: Mapping[Any, Any], place: str, known: tuple[str, ...], findings: _Findings) -> None:
    findings.faults += repeated_key_faults(_bare(place), fields)
    for key in fields:
        if key in known:
            continue
        at = place + key_place("", key)[1:]
        findings.faults += value_faults(at, fields[key])
        hint = f"; a label belongs in metadata.{key}" if key in LABELS else ""
        findings.notes.append((f"unknown key {shown(key)}", f"{at}: unknown key, not read{hint}"))


def _id(fields: Mapping[Any, Any], key: str, place: str, first_places: dict[str, str], findings: _Findings) -> str:
    value = _text(fields, key, place, findings)
    if value and (first := first_places.setdefault(value, _bare(place))) != _bare(place):
        findings.faults.append(f"{place}{key}: {shown(value)} is also the id of {first}; give each its own")
    return value


def _text(fields: Mapping[Any, Any], key: str, place: str, findings: _Findings, *, may_be_empty: bool = False) -> str:
    """Return the text under `key`; "" after a fault."""
    value = fields.get(key)
    at = f"{place}{key}"
    if value is None:
        findings.faults.append(f"{at}: is missing; give text")
    elif not isinstance(value, str):
        hint = "put it in quotes" if isinstance(value, int | float) else "give text"
        findings.faults.append(f"{at}: {shown(value)} is not text; {hint}")
    elif faults := value_faults(at, value):
        findings.faults += faults
    elif value or may_be_empty:
        return value
    else:
        findings.faults.append(f"{at}: is empty; give text")
    return ""


def _metadata(fields: Mapping[Any, Any], place: str, findings: _Findings) -> dict[str, Any]:
    value, at = fields.get("metadata"), f"{place}metadata"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        findings.faults.append(f"{at}: {shown(value)} is not a mapping; give names with values")
        return {}
    findings.faults += value_faults(at, value)
    return dict(value)


def _labels(metadata: dict[str, Any], place: str, findings: _Findings) -> dict[str, Any]:
    """Return `metadata` with a rank that is an int and a quality that is a float, or without them if null."""
    for label in LABELS:
        if label not in metadata:
            continue
        value, at = metadata.pop(label), f"{place}metadata.{label}"
        if (
            value is None
            or isinstance(value, HugeNumber)
            or (isinstance(value, int | float) and value_faults(at, value))
        ):
            continue  # absent, or already reported as no number that can be kept
        if isinstance(value, bool) or not isinstance(value, int | float):
            findings.faults.append(f"{at}: {shown(value)} is not a number; give one without quotes, or leave it out")
        elif label == "quality":
            metadata[label] = float(value)
        elif value < 1 or value != int(value):
            findings.faults.append(f"{at}: {shown(value)} is not a rank; give a whole number from 1, the best")
        else:
            metadata[label] = int(value)
    return metadata


def _note_partial_labels(place: str, candidates: tuple[Candidate, ...], findings: _Findings) -> None:
    for label in LABELS:
        labelled = sum(label in candidate.metadata for candidate in candidates)
        if 0 < labelled < len(candidates):
            missing = len(candidates) - labelled
            sentence = (
                f"{place}: {missing} of {len(candidates)} candidates have no {label}, so {label} is not used here"
            )
            findings.notes.append((f"partial {label}", sentence))


def _bare(place: str) -> str:
    """Return the place of a thing itself, from what opens the places of its fields."""
    return place.rstrip(".: ")
