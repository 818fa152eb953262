"""Reads a settings file for `autosr search --settings`. The manifest of a run can be used as one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from autosr_assets.records.given_settings import GivenSettings
from autosr_lib.errors import SettingsError
from autosr_lib.search.settings import Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.settings_merge import dotted_settings

_GROUPS: Mapping[str, type[BaseModel]] = {
    "structure": Structure,
    "dataset_settings": DatasetRunSettings,
    "settings": SearchRunSettings,
}
_COMMAND_ARGUMENTS = {"path", "output"}
"""Settings that are ignored, since arguments of the command line set them: the dataset's file, and the export's path."""


def read_settings(path: Path) -> GivenSettings:
    """Return the groups `structure`, `settings` and `dataset_settings` of a file, each nested or flat; ignore the rest.

    Raises:
        SettingsError: the file cannot be read, or contains none of these groups.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # YAML would read 1e-08, which JSON writes, as text.
        content: Any = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        message = " ".join(str(error).split())
        raise SettingsError(f"settings {path}: {message}; allowed: a YAML or JSON file of settings") from error
    settings = content.get("run_manifest", content) if isinstance(content, Mapping) else {}
    if not isinstance(settings, Mapping) or not _GROUPS.keys() & settings.keys():
        raise SettingsError(f"settings {path}: no settings in it; allowed: some of {', '.join(_GROUPS)}, or a manifest")
    groups = [
        {
            name: value
            for name, value in dotted_settings(model, settings.get(group) or {}).items()
            if name not in _COMMAND_ARGUMENTS
        }
        for group, model in _GROUPS.items()
    ]
    return GivenSettings(*groups)
