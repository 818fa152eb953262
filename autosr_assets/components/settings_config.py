"""Settings models as Dagster config: a run can override each setting in the launchpad, a schedule or a shell.

The config of the resource contains only the overrides of a run; all other values come from the YAML. A
`dg.ConfigurableResource` with the settings as fields would lose the values of the YAML as soon as a run overrides one field.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import dagster as dg
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from autosr_assets.automation.dagster_runs import add_missing_tags
from autosr_lib.settings_fields import bounds_of, choices_of, group_model, is_optional, without_none
from autosr_lib.settings_merge import merge_settings, nested

Model = TypeVar("Model", bound=BaseModel)

_SCALARS: Mapping[Any, Any] = {bool: dg.Bool, int: dg.Int, float: dg.Float, str: dg.String}


def settings_resource(
    base: Model,
    description: str,
    check: Callable[[Model], object] | None = None,
    current: Callable[[], Model] | None = None,
    tags_of: Callable[[Model], Mapping[str, str]] | None = None,
) -> dg.ResourceDefinition:
    """Return the resource whose value is `base` with the overrides of the run, validated before the first step.

    Args:
        base: the values of the YAML.
        description: description of the resource for the web UI.
        check: raises `SettingsError` for overrides that this component does not allow.
        current: returns the values to use instead of `base` when a run begins, if they can change after loading.
        tags_of: returns the tags of a run with these settings; they are added to runs that no job has tagged.
    """

    def settings(context: dg.InitResourceContext) -> Model:
        merged = merge_settings(base if current is None else current(), context.resource_config or {})
        if check is not None:
            check(merged)
        if tags_of is not None and context.run is not None and context.instance is not None:
            add_missing_tags(context.instance, context.run, tags_of(merged))
        return merged

    return dg.ResourceDefinition(settings, config_schema=config_schema(type(base), base), description=description)


def override_config(base: BaseModel, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return `overrides`, nested or flat, as config of the settings resource.

    Raises:
        SettingsError: a setting is unknown or its value is not allowed.
    """
    merge_settings(base, overrides)
    plain: dict[str, Any] = _plain(nested(type(base), overrides))
    return plain


def config_schema(model: type[BaseModel], base: BaseModel | None = None) -> dict[str, dg.Field]:
    """Return a Dagster config schema for a settings model in which every field is optional."""
    return {
        name: dg.Field(
            _config_type(field.annotation, value := None if base is None else getattr(base, name)),
            is_required=False,
            description=_description(field, value),
        )
        for name, field in model.model_fields.items()
    }


def _config_type(annotation: Any, value: Any = None) -> Any:
    """Return the narrowest Dagster type that accepts all values that the model accepts; the model validates them."""
    plain = without_none(annotation)
    config_type = _plain_config_type(plain, value)
    return dg.Noneable(config_type) if is_optional(annotation) and config_type is not dg.Any else config_type


def _plain_config_type(annotation: Any, value: Any) -> Any:
    if isinstance(annotation, type) and (group := group_model(annotation)) is not None:
        return config_schema(group, value)
    if (choices := choices_of(annotation)) is not None:
        return _enum_type("_or_".join(choices) if get_origin(annotation) else annotation.__name__, choices)
    if get_origin(annotation) in (tuple, list, frozenset, set):
        return dg.Array(_config_type(get_args(annotation)[0]))
    return _SCALARS.get(annotation, dg.Any)


@cache  # Dagster requires that equal names of config types refer to the same object
def _enum_type(name: str, choices: tuple[str, ...]) -> dg.Enum:
    return dg.Enum(name, [dg.EnumValue(choice) for choice in choices])


def _description(field: FieldInfo, value: Any) -> str:
    text = field.description or ""
    if bounds := bounds_of(field):
        text += f" Allowed: {bounds}."
    if value is not None and group_model(field.annotation) is None:
        text += f" Here: {_plain(value)}."
    return text.strip()


def _plain(value: Any) -> Any:
    """Return the value as plain YAML types."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_unset=True))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(inner) for inner in value]
    return value
