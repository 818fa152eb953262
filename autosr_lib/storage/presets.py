"""Preset rubrics: a file of first rubrics by prompt id, or an earlier output."""

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
from autosr_lib.storage.strict_json import JsonError, parse_json, shown, value_faults

IGNORED = {"criterion_key", "grading_protocol", "rubric_id", "metadata"}


def read_presets(settings: InitializerSettings) -> dict[str, Rubric]:
    """Return the preset rubrics by prompt id (`__default__` for the others); none where the strategy is another.

    The file is a JSON object of rubrics by prompt id, or an output of `autosr search` with its `best_rubrics`. A rubric
    is an object with `criteria`, or a list of them. A protocol of grading inside a rubric is ignored (docs/method.md §2).

    Raises:
        SettingsError: the file cannot be read, or something in it is not a rubric; names the place.
    """
    if settings.initializer_strategy is not InitializerStrategy.PRESET:
        return {}
    if settings.preset_rubrics is None:
        raise SettingsError("initializer_strategy is 'preset', but preset_rubrics names no file; allowed: a JSON file")
    path = UPath(settings.preset_rubrics)
    try:
        content = parse_json(path.read_text(encoding="utf-8-sig"))
    except JsonError as error:
        where = f"line {error.line} column {error.column}: " if error.line else ""
        raise SettingsError(f"preset_rubrics {path}: {where}{error}; allowed: a JSON file of rubrics") from error
    except Exception as error:
        if not (isinstance(error, UnicodeDecodeError) or is_storage_error(error)):
            raise
        raise SettingsError(f"preset_rubrics {path}: {error}; allowed: a JSON file of rubrics") from error
    if faults := value_faults("", content):
        raise SettingsError(f"preset_rubrics {path}: {faults[0].removeprefix('.').removeprefix(': ')}")
    return {name: _rubric(value, f"{path}: {name}") for name, value in _by_prompt(content, path)}


def _by_prompt(content: Any, path: UPath) -> list[tuple[str, Any]]:
    if not isinstance(content, Mapping):
        raise SettingsError(
            f"preset_rubrics {path}: {shown(content)} is not rubrics; "
            "allowed: an object of rubrics by prompt id, or an output"
        )
    if not isinstance(content.get("best_rubrics"), list):
        return list(content.items())
    for number, entry in enumerate(content["best_rubrics"]):
        if not (isinstance(entry, Mapping) and isinstance(entry.get("prompt_id"), str) and "rubric" in entry):
            raise SettingsError(
                f"preset_rubrics {path}: best_rubrics[{number}]: {shown(entry)} is not an entry of an output; "
                "allowed: an object with `prompt_id`, a text, and `rubric`"
            )
    return [(entry["prompt_id"], entry["rubric"]) for entry in content["best_rubrics"]]


def _rubric(value: Any, place: str) -> Rubric:
    criteria = value.get("criteria") if isinstance(value, Mapping) else value
    if not isinstance(criteria, list):
        raise SettingsError(
            f"preset_rubrics {place}: {shown(value)} is no rubric; allowed: a list of criteria, or an object with `criteria`"
        )
    plain = [{k: v for k, v in c.items() if k not in IGNORED} if isinstance(c, Mapping) else c for c in criteria]
    try:
        rubric = Rubric.model_validate({"criteria": plain})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = validation.place((place, *first["loc"]))
        got = first["input"]
        is_telling = got != "" and isinstance(got, str | int | float) and first["type"] != "extra_forbidden"
        value_told = f" (got {got!r:.40})" if is_telling else ""
        raise SettingsError(f"preset_rubrics {where}: {validation.finding(first)}{value_told}") from error
    for number, criterion in enumerate(rubric.criteria):
        if criterion.measure is not None:
            try:
                parse_measure(criterion.measure)
            except SettingsError as error:
                raise SettingsError(f"preset_rubrics {place}.criteria[{number}].measure: {error}") from error
    return rubric
