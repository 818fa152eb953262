"""The settings that a user gave for one search: on the command line, in a settings file, or by a manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from autosr_lib.search.settings import Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.settings_fields import leaves


@dataclass(frozen=True)
class GivenSettings:
    """The given settings by dotted name, grouped by the model that they belong to."""

    structure: Mapping[str, Any]
    dataset: Mapping[str, Any]
    search: Mapping[str, Any]

    @classmethod
    def from_dotted(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings with these dotted names. Settings of the backend belong to the dataset and to the search.

        >>> GivenSettings.from_dotted({"mode": "iterative", "seed": 1})
        GivenSettings(structure={'mode': 'iterative'}, dataset={}, search={'seed': 1})
        """
        models = (Structure, DatasetRunSettings, SearchRunSettings)
        names_by_model = [{name for name, _ in leaves(model)} for model in models]
        return cls(*({name: value for name, value in values.items() if name in names} for names in names_by_model))

    def updated_with(self, overrides: "GivenSettings") -> "GivenSettings":
        """Return these settings, with `overrides` taking precedence."""
        return GivenSettings(
            {**self.structure, **overrides.structure},
            {**self.dataset, **overrides.dataset},
            {**self.search, **overrides.search},
        )
