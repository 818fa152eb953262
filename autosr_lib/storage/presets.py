"""Preset rubrics: the initial rubrics of a search, from a file by prompt id or from an earlier export."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from upath import UPath

from autosr_lib import validation
from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.measures import parse_measure
from autosr_lib.search.settings import InitializerSettings, InitializerStrategy
from autosr_lib.storage.files import is_storage_error
from autosr_lib.storage.strict_json import JsonError, find_value_faults, parse_json, preview

_IGNORED_KEYS = {"criterion_key", "grading_protocol", "rubric_id", "metadata"}
"""Keys of a criterion that exports may have and a rubric does not."""
_ALLOWED_FILE = "allowed: a JSON file of rubrics"


def read_presets(settings: InitializerSettings) -> dict[str, Rubric]:
    """Return the preset rubrics by prompt id; `__default__` is for all other prompts.

    The file is a JSON object of rubrics by prompt id, or an export of `autosr search`, which has `best_rubrics`. A
    rubric is a list of criteria, or an object with `criteria`. A grading protocol inside a rubric is ignored
    (docs/method.md §2). Without the strategy "preset" no file is read and the result is empty.

    Raises:
        SettingsError: The file cannot be read, or contains something else than rubrics; names the location.
    """
    if settings.initializer_strategy is not InitializerStrategy.PRESET:
        return {}
    if settings.preset_rubrics is None:
        raise SettingsError("initializer_strategy is 'preset', but preset_rubrics names no file; allowed: a JSON file")
    path = UPath(settings.preset_rubrics)
    content = _read_content(path)
    if faults := find_value_faults("", content):
        raise SettingsError(f"preset_rubrics {path}: {faults[0].removeprefix('.').removeprefix(': ')}")
    rubrics = _rubric_values(content, path)
    return {prompt_id: _parse_rubric(value, f"{path}: {prompt_id}") for prompt_id, value in rubrics}


def _read_content(path: UPath) -> Any:
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except JsonError as error:
        location = f"line {error.line} column {error.column}: " if error.line else ""
        raise SettingsError(f"preset_rubrics {path}: {location}{error}; {_ALLOWED_FILE}") from error
    except Exception as error:
        if not (isinstance(error, UnicodeDecodeError) or is_storage_error(error)):
            raise
        raise SettingsError(f"preset_rubrics {path}: {error}; {_ALLOWED_FILE}") from error


def _rubric_values(content: Any, path: UPath) -> list[tuple[str, Any]]:
    """Return the prompt ids and the unparsed rubrics of a file."""
    if not isinstance(content, Mapping):
        raise SettingsError(
            f"preset_rubrics {path}: {preview(content)} is not rubrics; "
            "allowed: an object of rubrics by prompt id, or an export"
        )
    if not isinstance(content.get("best_rubrics"), list):
        return list(content.items())
    for number, entry in enumerate(content["best_rubrics"]):
        if not (isinstance(entry, Mapping) and isinstance(entry.get("prompt_id"), str) and "rubric" in entry):
            raise SettingsError(
                f"preset_rubrics {path}: best_rubrics[{number}]: {preview(entry)} is not an entry of an export; "
                "allowed: an object with `prompt_id`, a text, and `rubric`"
            )
    return [(entry["prompt_id"], entry["rubric"]) for entry in content["best_rubrics"]]


def _parse_rubric(value: Any, location: str) -> Rubric:
    criteria = value.get("criteria") if isinstance(value, Mapping) else value
    if not isinstance(criteria, list):
        raise SettingsError(
            f"preset_rubrics {location}: {preview(value)} is not a rubric; "
            "allowed: a list of criteria, or an object with `criteria`"
        )
    try:
        rubric = Rubric.model_validate({"criteria": [_without_ignored_keys(criterion) for criterion in criteria]})
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        field = validation.field_path((location, *detail["loc"]))
        refused = detail["input"]
        is_shown = refused != "" and isinstance(refused, str | int | float) and detail["type"] != "extra_forbidden"
        shown_value = f" (got {refused!r:.40})" if is_shown else ""
        raise SettingsError(f"preset_rubrics {field}: {validation.describe_error(detail)}{shown_value}") from error
    for number, criterion in enumerate(rubric.criteria):
        if criterion.measure is not None:
            try:
                parse_measure(criterion.measure)
            except SettingsError as error:
                raise SettingsError(f"preset_rubrics {location}.criteria[{number}].measure: {error}") from error
    return rubric


def _without_ignored_keys(criterion: Any) -> Any:
    if not isinstance(criterion, Mapping):
        return criterion
    return {key: value for key, value in criterion.items() if key not in _IGNORED_KEYS}
