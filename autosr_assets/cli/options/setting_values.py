"""Conversion of option values to settings."""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_origin

from autosr_assets.cli.options.settings import NONE, Setting, all_settings
from autosr_assets.records.given_settings import GivenSettings
from autosr_lib.errors import SettingsError
from autosr_lib.settings_fields import is_optional


def read_setting_values(values: Mapping[str, Any]) -> GivenSettings:
    """Return the settings for option values by parameter name.

    Texts are converted as far as the setting's type allows; the settings models validate the result.

    >>> read_setting_values({"population_size": "8", "racing": True}).search
    {'evolution.population_size': 8, 'evolution.racing': True}

    Raises:
        SettingsError: a mapping is not valid JSON.
    """
    settings = {setting.name: setting for setting in all_settings()}
    return GivenSettings.from_dotted(
        {settings[name].dotted: _read(settings[name], value) for name, value in values.items()}
    )


def _read(setting: Setting, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    origin = get_origin(setting.annotation)
    if value == NONE and is_optional(setting.field.annotation):
        return None
    if origin in (tuple, list):
        return [part.strip() for part in value.split(",") if part.strip()] if value != NONE else []
    if origin is not None and origin is not Literal and issubclass(origin, Mapping):
        return _read_json(setting, value)
    if setting.annotation in (int, float):
        return _read_number(value)
    return value


def _read_json(setting: Setting, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as error:
        raise SettingsError(
            f"{setting.dotted} is {value!r}; must be JSON, such as '{{\"name\": 1}}' ({error})"
        ) from error


def _read_number(value: str) -> Any:
    """Return the number; or the text itself if it is not a number, which the settings model then rejects."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
