"""Merging of settings from several sources, and the errors of settings that are unknown or invalid.

A setting is named by its dotted name (`evolution.population_size`), or by its flat name (`population_size`) if only one
setting has it.
"""

import difflib
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autosr_lib.errors import SettingsError
from autosr_lib.settings_fields import group_model, leaves
from autosr_lib.validation import describe_error, field_path

Model = TypeVar("Model", bound=BaseModel)


def merge_settings(base: Model, overrides: Mapping[str, Any]) -> Model:
    """Return `base` with the overrides, which may be nested or flat.

    Raises:
        SettingsError: a setting is unknown or its value is invalid.

    >>> from autosr_lib.search.settings import SearchSettings
    >>> merge_settings(SearchSettings(), {"population_size": 4}).evolution.population_size
    4
    """
    values = base.model_dump(exclude_unset=True)
    return validate_settings(type(base), _merge(values, nested(type(base), overrides), type(base)))


def validate_settings(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return the settings with these values, which may be nested or flat.

    Raises:
        SettingsError: a setting is unknown or its value is invalid.
    """
    try:
        return model.model_validate(nested(model, values))
    except ValidationError as error:
        raise settings_error(model, error) from error


def nested(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with settings under flat names moved into their groups; unknown names stay at the top.

    Raises:
        SettingsError: a setting is given twice, by its flat name and in its group.

    >>> from autosr_lib.search.settings import SearchSettings
    >>> nested(SearchSettings, {"population_size": 4, "seed": 1})
    {'seed': 1, 'evolution': {'population_size': 4}}
    """
    paths = flat_names(model)
    nested_values: dict[str, Any] = {}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        field = model.model_fields.get(name)
        is_group = field is not None and group_model(field.annotation) is not None
        if is_group and value is None:  # an empty mapping in YAML
            nested_values[name] = {}
        elif field is None or (is_group and name in paths and not isinstance(value, Mapping | BaseModel)):
            flat[name] = value  # `grading` is a group and a setting in it
        else:
            nested_values[name] = value
    for name, value in flat.items():
        *parents, leaf = paths[name].split(".") if name in paths else [name]
        group = nested_values
        for parent in parents:
            group[parent] = dict(_as_mapping(group.get(parent, {})))  # a copy: the original belongs to the caller
            group = group[parent]
        if leaf in group and parents:
            raise SettingsError(f"{name} is given twice: as {name} and as {paths[name]}; give it once")
        group[leaf] = value
    return nested_values


def nested_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted name as nested mappings.

    >>> nested_settings({"seed": 7, "stop.max_generations": 3})
    {'seed': 7, 'stop': {'max_generations': 3}}
    """
    nested_values: dict[str, Any] = {}
    for dotted, value in values.items():
        *parents, leaf = dotted.split(".")
        group = nested_values
        for parent in parents:
            group = group.setdefault(parent, {})
        group[leaf] = value
    return nested_values


def dotted_settings(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings, which may be nested or flat, by dotted name; unknown names stay as they are.

    >>> from autosr_lib.search.settings import SearchSettings
    >>> dotted_settings(SearchSettings, {"evolution": {"population_size": 4}})
    {'evolution.population_size': 4}
    """
    by_name: dict[str, Any] = {}
    for name, value in nested(model, values).items():
        field = model.model_fields.get(name)
        group = None if field is None else group_model(field.annotation)
        if group is None or not isinstance(value, Mapping):
            by_name[f"{prefix}{name}"] = value
        else:
            by_name |= dotted_settings(group, value, f"{prefix}{name}.")
    return by_name


def flat_names(model: type[BaseModel]) -> dict[str, str]:
    """Return the dotted names of the settings with a unique last part, by that part."""
    dotted_names = [name for name, _ in leaves(model)]
    last_parts = [name.rsplit(".", 1)[-1] for name in dotted_names]
    return {part: name for part, name in zip(last_parts, dotted_names, strict=True) if last_parts.count(part) == 1}


def settings_error(model: type[BaseModel], error: ValidationError) -> SettingsError:
    """Return an error whose one line names each invalid setting, its value and what is allowed."""
    return SettingsError("; ".join(_describe(model, detail) for detail in error.errors(include_url=False)))


def _describe(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = tuple(detail["loc"])
    name = field_path(path)
    if detail["type"] == "extra_forbidden":
        return f"{name} is not a setting; {_suggestion(model, path)}"
    allowed = describe_error(detail)
    if detail["type"] == "value_error" or not path:
        return f"{name}: {allowed}" if name else allowed
    if detail["type"] == "missing" or (_hides_input(model, path) and not isinstance(detail["input"], int | float)):
        return f"{name}: {allowed}"
    return f"{name} is {_shown(detail['input'])}; {allowed}"


def _suggestion(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    by_last_part = {name.rsplit(".", 1)[-1]: name for name, _ in leaves(model)}
    if close := difflib.get_close_matches(str(path[-1]), list(by_last_part), n=3):
        return "did you mean " + " or ".join(by_last_part[match] for match in close) + "?"
    group = _group_at(model, path[:-1])
    return "allowed are " + ", ".join((group or model).model_fields)


def _hides_input(model: type[BaseModel], path: tuple[int | str, ...]) -> bool:
    """Return whether a group that contains the setting forbids showing values in errors."""
    groups = (_group_at(model, path[:depth]) for depth in range(len(path)))
    return any(group is not None and group.model_config.get("hide_input_in_errors") for group in groups)


def _group_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    group: type[BaseModel] | None = model
    for part in path:
        field = None if group is None else group.model_fields.get(str(part))
        group = None if field is None else group_model(field.annotation)
    return group


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)  # as in YAML
    text = repr(value.value if isinstance(value, Enum) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _merge(base: Mapping[str, Any], overrides: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return `base` with the overrides; groups of settings are merged, other values are replaced."""
    merged = dict(base)
    for name, value in overrides.items():
        field = model.model_fields.get(name)
        group = None if field is None else group_model(field.annotation)
        if group is None or not isinstance(value, Mapping):
            merged[name] = value
        else:
            merged[name] = _merge(_as_mapping(merged.get(name)), nested(group, value), group)
    return merged


def _as_mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    return value if isinstance(value, Mapping) else {}
