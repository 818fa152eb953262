"""A file of settings for `autosr search --settings`; the manifest of a run is one."""

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
_OF_THE_COMMAND = {"path", "output"}
"""What is read and where it goes is said on the command line."""


def read_settings(path: Path) -> GivenSettings:
    """Return the settings of a file: `structure`, `settings`, `dataset_settings`, each nested or flat; all else is left.

    Raises:
        SettingsError: the file cannot be read, or has none of them.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # YAML takes 1e-08, which JSON writes, for a text.
        content: Any = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise SettingsError(f"settings {path}: {said}; allowed: a YAML or JSON file of settings") from error
    told = content.get("run_manifest", content) if isinstance(content, Mapping) else {}
    if not isinstance(told, Mapping) or not _GROUPS.keys() & told.keys():
        raise SettingsError(f"settings {path}: no settings in it; allowed: some of {', '.join(_GROUPS)}, or a manifest")
    groups = [
        {
            name: value
            for name, value in dotted_settings(model, told.get(group) or {}).items()
            if name not in _OF_THE_COMMAND
        }
        for group, model in _GROUPS.items()
    ]
    return GivenSettings(*groups)
