"""Settings from several places laid over each other, and what to say of those that cannot be.

The names of settings are dotted (`evolution.population_size`), or flat (`population_size`) where only one setting is
called so.
"""

import difflib
import json
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from autosr_lib.errors import SettingsError
from autosr_lib.validation import finding, place

Model = TypeVar("Model", bound=BaseModel)

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "of length at least"}


def merge_settings(base: Model, overrides: Mapping[str, Any]) -> Model:
    """Return the settings with `overrides` laid over them, nested or flat; what they do not name stays as it is.

    Raises:
        SettingsError: a setting is unknown or its value impossible.
    """
    told = base.model_dump(exclude_unset=True)
    return validate_settings(type(base), _laid_over(told, nested(type(base), overrides), type(base)))


def validate_settings(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return the settings that `values`, nested or flat, describe.

    Raises:
        SettingsError: a setting is unknown or its value impossible.
    """
    try:
        return model.model_validate(nested(model, values))
    except ValidationError as error:
        raise settings_error(model, error) from error


def nested(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with flat names put where they belong; names that are unknown stay at the top.

    Raises:
        SettingsError: a setting is given twice, by its flat name and in its place.
    """
    paths = flat_names(model)
    placed: dict[str, Any] = {}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        field = model.model_fields.get(name)
        is_group = field is not None and model_of(field.annotation) is not None
        if is_group and value is None:  # an empty mapping in YAML
            placed[name] = {}
        elif field is None or (is_group and name in paths and not isinstance(value, Mapping | BaseModel)):
            flat[name] = value  # `grading` is a group and a setting in it
        else:
            placed[name] = value
    for name, value in flat.items():
        *parents, leaf = paths[name].split(".") if name in paths else [name]
        inner = placed
        for parent in parents:
            # A copy, for what lies there belongs to the caller.
            inner[parent] = dict(_as_mapping(inner.get(parent, {})))
            inner = inner[parent]
        if leaf in inner and parents:
            raise SettingsError(f"{name} is given twice: as {name} and as {paths[name]}; give it once")
        inner[leaf] = value
    return placed


def nested_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted name as nested mappings."""
    placed: dict[str, Any] = {}
    for dotted, value in values.items():
        *groups, leaf = dotted.split(".")
        inner = placed
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[leaf] = value
    return placed


def dotted_settings(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings, nested or flat, by dotted name; a name that is unknown stays as it is."""
    named: dict[str, Any] = {}
    for name, value in nested(model, values).items():
        field = model.model_fields.get(name)
        inner = None if field is None else model_of(field.annotation)
        if inner is None or not isinstance(value, Mapping):
            named[f"{prefix}{name}"] = value
        else:
            named |= dotted_settings(inner, value, f"{prefix}{name}.")
    return named


def flat_names(model: type[BaseModel]) -> dict[str, str]:
    """Return the dotted name of every setting that its last part alone names."""
    dotted = [name for name, _ in leaves(model)]
    last = [name.rsplit(".", 1)[-1] for name in dotted]
    return {flat: name for flat, name in zip(last, dotted, strict=True) if last.count(flat) == 1}


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield (dotted name, field) of every setting that is not itself a group of settings."""
    for name, field in model.model_fields.items():
        inner = model_of(field.annotation)
        if inner is None:
            yield f"{prefix}{name}", field
        else:
            yield from leaves(inner, f"{prefix}{name}.")


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the settings model that a field holds, or None for a plain setting."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Annotated:
        return model_of(get_args(annotation)[0])
    if is_union(annotation):
        models = [inner for part in get_args(annotation) if (inner := model_of(part)) is not None]
        return models[0] if len(models) == 1 else None
    return None


def is_union(annotation: Any) -> bool:
    """Return whether the annotation is `A | B`, however it was written."""
    return get_origin(annotation) in (Union, types.UnionType)


def bounds_of(field: FieldInfo) -> str:
    """Return the bounds of a setting in words (`at least 1, at most 1000`), or nothing."""
    return ", ".join(
        f"{words} {bound:g}"
        for constraint in field.metadata
        for name, words in _BOUNDS.items()
        if isinstance(bound := getattr(constraint, name, None), int | float)
    )


def settings_error(model: type[BaseModel], error: ValidationError) -> SettingsError:
    """Return pydantic's findings as one line that names each setting, its value and what is allowed."""
    return SettingsError("; ".join(_finding(model, detail) for detail in error.errors(include_url=False)))


def _finding(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = tuple(detail["loc"])
    name = place(path)
    if detail["type"] == "extra_forbidden":
        return f"{name} is not a setting; {_instead(model, path)}"
    allowed = finding(detail)
    if detail["type"] == "value_error" or not path:
        return f"{name}: {allowed}" if name else allowed
    if detail["type"] == "missing" or (_hides_input(model, path) and not isinstance(detail["input"], int | float)):
        return f"{name}: {allowed}"
    return f"{name} is {_shown(detail['input'])}; {allowed}"


def _instead(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    by_last_part = {name.rsplit(".", 1)[-1]: name for name, _ in leaves(model)}
    if close := difflib.get_close_matches(str(path[-1]), list(by_last_part), n=3):
        return "did you mean " + " or ".join(by_last_part[match] for match in close) + "?"
    group = _group_at(model, path[:-1])
    return "known are " + ", ".join((group or model).model_fields)


def _hides_input(model: type[BaseModel], path: tuple[int | str, ...]) -> bool:
    """Return whether a model on the way to the setting asks that values are not repeated."""
    groups = (_group_at(model, path[:depth]) for depth in range(len(path)))
    return any(group is not None and group.model_config.get("hide_input_in_errors") for group in groups)


def _group_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    group: type[BaseModel] | None = model
    for part in path:
        field = None if group is None else group.model_fields.get(str(part))
        group = None if field is None else model_of(field.annotation)
    return group


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)  # as it was written in YAML
    text = repr(value.value if isinstance(value, Enum) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return both mappings in one, `above` winning; only groups of settings are merged, a value replaces a value."""
    merged = dict(below)
    for name, value in above.items():
        field = model.model_fields.get(name)
        inner = None if field is None else model_of(field.annotation)
        if inner is None or not isinstance(value, Mapping):
            merged[name] = value
        else:
            merged[name] = _laid_over(_as_mapping(merged.get(name)), nested(inner, value), inner)
    return merged


def _as_mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    return value if isinstance(value, Mapping) else {}
