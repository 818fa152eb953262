"""Merging and validation of settings from several sources, with messages that name the setting.

Settings have dotted names (`evolution.population_size`). The last part alone (`population_size`) is the flat name of a
setting if no other setting ends in it.
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
from autosr_lib.validation import describe_error, field_path

Model = TypeVar("Model", bound=BaseModel)

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "of length at least"}


def merge_settings(base: Model, overrides: Mapping[str, Any]) -> Model:
    """Return `base` with `overrides` applied, nested or by flat name; other settings keep their values.

    Raises:
        SettingsError: a setting is unknown or its value is not allowed.

    >>> from autosr_lib.search.settings import SearchSettings
    >>> merge_settings(SearchSettings(), {"population_size": 4}).evolution.population_size
    4
    """
    given_settings = base.model_dump(exclude_unset=True)
    return validate_settings(type(base), _merge(given_settings, resolve_flat_names(type(base), overrides), type(base)))


def validate_settings(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return the settings with these values, nested or by flat name, and defaults for the others.

    Raises:
        SettingsError: a setting is unknown or its value is not allowed.
    """
    try:
        return model.model_validate(resolve_flat_names(model, values))
    except ValidationError as error:
        raise settings_error(model, error) from error


def resolve_flat_names(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with settings given by flat name moved into their groups; unknown names stay at the top level.

    Raises:
        SettingsError: a setting is given twice, by its flat name and inside its group.

    >>> from autosr_lib.search.settings import SearchSettings
    >>> resolve_flat_names(SearchSettings, {"population_size": 4, "seed": 1})
    {'seed': 1, 'evolution': {'population_size': 4}}
    """
    paths = flat_names(model)
    nested: dict[str, Any] = {}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        field = model.model_fields.get(name)
        is_group = field is not None and model_of(field.annotation) is not None
        if is_group and value is None:  # an empty mapping in YAML
            nested[name] = {}
        elif field is None or (is_group and name in paths and not isinstance(value, Mapping | BaseModel)):
            flat[name] = value  # `grading` is the name of a group and of a setting in it
        else:
            nested[name] = value
    for name, value in flat.items():
        *groups, leaf = paths[name].split(".") if name in paths else [name]
        inner = nested
        for group in groups:
            inner[group] = dict(_as_mapping(inner.get(group, {})))  # a copy: the original belongs to the caller
            inner = inner[group]
        if leaf in inner and groups:
            raise SettingsError(f"{name} is given twice: as {name} and as {paths[name]}; give it once")
        inner[leaf] = value
    return nested


def nested_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by dotted name as nested mappings.

    >>> nested_settings({"seed": 1, "evolution.population_size": 4})
    {'seed': 1, 'evolution': {'population_size': 4}}
    """
    nested: dict[str, Any] = {}
    for dotted, value in values.items():
        *groups, leaf = dotted.split(".")
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[leaf] = value
    return nested


def dotted_settings(model: type[BaseModel], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings, nested or by flat name, by dotted name; unknown names are kept.

    >>> from autosr_lib.search.settings import SearchSettings
    >>> dotted_settings(SearchSettings, {"evolution": {"population_size": 4}})
    {'evolution.population_size': 4}
    """
    dotted: dict[str, Any] = {}
    for name, value in resolve_flat_names(model, values).items():
        field = model.model_fields.get(name)
        inner = None if field is None else model_of(field.annotation)
        if inner is None or not isinstance(value, Mapping):
            dotted[f"{prefix}{name}"] = value
        else:
            dotted |= dotted_settings(inner, value, f"{prefix}{name}.")
    return dotted


def flat_names(model: type[BaseModel]) -> dict[str, str]:
    """Return the dotted names of settings by flat name, for all settings that have one."""
    dotted = [name for name, _ in leaves(model)]
    last_parts = [name.rsplit(".", 1)[-1] for name in dotted]
    return {last: name for last, name in zip(last_parts, dotted, strict=True) if last_parts.count(last) == 1}


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield (dotted name, field) of every setting that is not a group of settings."""
    for name, field in model.model_fields.items():
        inner = model_of(field.annotation)
        if inner is None:
            yield f"{prefix}{name}", field
        else:
            yield from leaves(inner, f"{prefix}{name}.")


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a group of settings, or None if the annotation is that of a single setting.

    >>> class Group(BaseModel): ...
    >>> model_of(Group | None) is Group, model_of(int | None)
    (True, None)
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Annotated:
        return model_of(get_args(annotation)[0])
    if is_union(annotation):
        models = [inner for part in get_args(annotation) if (inner := model_of(part)) is not None]
        return models[0] if len(models) == 1 else None
    return None


def is_union(annotation: Any) -> bool:
    """Return whether the annotation is a union, written as `A | B`, `Union` or `Optional`.

    >>> is_union(int | None), is_union(int)
    (True, False)
    """
    return get_origin(annotation) in (Union, types.UnionType)


def bounds_of(field: FieldInfo) -> str:
    """Return the bounds of a setting in words, empty if there are none.

    >>> from autosr_lib.evaluation.settings import GradingSettings
    >>> bounds_of(GradingSettings.model_fields["num_votes"])
    'at least 1, at most 32'
    """
    return ", ".join(
        f"{words} {bound:g}"
        for constraint in field.metadata
        for name, words in _BOUNDS.items()
        if isinstance(bound := getattr(constraint, name, None), int | float)
    )


def settings_error(model: type[BaseModel], error: ValidationError) -> SettingsError:
    """Return pydantic's errors as one message that names each setting, its value and what is allowed."""
    return SettingsError("; ".join(_describe(model, detail) for detail in error.errors(include_url=False)))


def _describe(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = tuple(detail["loc"])
    name = field_path(path)
    if detail["type"] == "extra_forbidden":
        return f"{name} is not a setting; {_suggest(model, path)}"
    problem = describe_error(detail)
    if detail["type"] == "value_error" or not path:
        return f"{name}: {problem}" if name else problem
    if detail["type"] == "missing" or (_hides_input(model, path) and not isinstance(detail["input"], int | float)):
        return f"{name}: {problem}"
    return f"{name} is {_preview(detail['input'])}; {problem}"


def _suggest(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """Return settings with a similar name, else all settings of the group."""
    by_last_part = {name.rsplit(".", 1)[-1]: name for name, _ in leaves(model)}
    if close := difflib.get_close_matches(str(path[-1]), list(by_last_part), n=3):
        return "did you mean " + " or ".join(by_last_part[match] for match in close) + "?"
    group = _group_at(model, path[:-1])
    return "the settings here are " + ", ".join((group or model).model_fields)


def _hides_input(model: type[BaseModel], path: tuple[int | str, ...]) -> bool:
    """Return whether a group around the setting forbids values in messages (`hide_input_in_errors`), as for secrets."""
    groups = (_group_at(model, path[:depth]) for depth in range(len(path)))
    return any(group is not None and group.model_config.get("hide_input_in_errors") for group in groups)


def _group_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel] | None:
    group: type[BaseModel] | None = model
    for part in path:
        field = None if group is None else group.model_fields.get(str(part))
        group = None if field is None else model_of(field.annotation)
    return group


def _preview(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)  # spelled as in YAML
    text = repr(value.value if isinstance(value, Enum) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _merge(base: Mapping[str, Any], overrides: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return `base` with `overrides` applied; groups are merged recursively, other values are replaced."""
    merged = dict(base)
    for name, value in overrides.items():
        field = model.model_fields.get(name)
        inner = None if field is None else model_of(field.annotation)
        if inner is None or not isinstance(value, Mapping):
            merged[name] = value
        else:
            merged[name] = _merge(_as_mapping(merged.get(name)), resolve_flat_names(inner, value), inner)
    return merged


def _as_mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    return value if isinstance(value, Mapping) else {}
