"""All settings of a search and of a dataset: what the method needs, and who answers the roles.

Nothing here imports what is slow to import, so that `autosr --help` can list every setting.
"""

import os
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.settings import Settings
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.search.settings import SearchSettings
from autosr_lib.storage.dataset_settings import DatasetSettings


class BackendName(StrEnum):
    """Who answers the roles."""

    AUTO = "auto"
    LLM = "llm"
    HEURISTIC = "heuristic"
    MOCK = "mock"


class BackendSettings(Settings):
    """Who answers the roles."""

    backend: BackendName = BackendName.AUTO
    """`llm`, `heuristic` (or `mock`, its older name), or `auto`: `llm` when the key is in the environment."""
    noise: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of the heuristic verifier's noise, on the unit scale; seeded."""
    llm: LlmSettings = LlmSettings()
    """The endpoint and its models."""

    @property
    def resolved(self) -> BackendName:
        """Return `llm` or `heuristic`.

        Raises:
            SettingsError: `llm` is asked for and its key is not in the environment.
        """
        has_key = bool(os.environ.get(self.llm.api_key_env))
        if self.backend is BackendName.LLM and not has_key:
            raise SettingsError(
                f"backend is 'llm', but the environment variable {self.llm.api_key_env} is empty; "
                "allowed: a key in it, or backend 'heuristic'"
            )
        wants_model = self.backend is BackendName.LLM or (self.backend is BackendName.AUTO and has_key)
        return BackendName.LLM if wants_model else BackendName.HEURISTIC


class SearchRunSettings(SearchSettings):
    """All settings of a search: what the method needs, and who answers the roles."""

    backend: BackendSettings = BackendSettings()
    """Who answers the roles."""
    output: str | None = None
    """Where the JSON of the search goes; by default `exports/` in the data folder, under the search's name."""


class DatasetRunSettings(DatasetSettings):
    """All settings of a dataset: its file, what is true and hidden, and who judges where labels do not."""

    backend: BackendSettings = BackendSettings()
    """Who judges, and who answers prompts that have too few candidates."""

    @model_validator(mode="after")
    def _a_cost_limit_can_be_held(self) -> Self:
        llm = self.backend.llm
        if llm.max_cost is not None and (missing := sorted(set(self.responses.response_models) - set(llm.prices))):
            raise ValueError(f"max_cost is set but prices has no entry for {missing}; give each model a price")
        return self
