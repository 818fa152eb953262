"""All settings of a search and of a dataset: those of the method, and those of the backend.

This module imports nothing that is slow to import, so that `autosr --help` is fast.
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
    """The backends that can answer the roles."""

    AUTO = "auto"
    LLM = "llm"
    HEURISTIC = "heuristic"
    MOCK = "mock"


class BackendSettings(Settings):
    """The backend that answers the roles."""

    backend: BackendName = BackendName.AUTO
    """`llm`, `heuristic` (or `mock`, its older name), or `auto`: `llm` if the environment has the API key."""
    noise: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of the noise in the heuristic verifier's grades, on the scale 0..1."""
    llm: LlmSettings = LlmSettings()
    """The endpoint and its models."""

    @property
    def resolved(self) -> BackendName:
        """Return `llm` or `heuristic`.

        Raises:
            SettingsError: the backend is `llm`, and the environment has no key.
        """
        has_key = bool(os.environ.get(self.llm.api_key_env))
        if self.backend is BackendName.LLM and not has_key:
            raise SettingsError(
                f"backend is 'llm', but the environment variable {self.llm.api_key_env} is empty; "
                "put the key there, or use backend 'heuristic'"
            )
        wants_model = self.backend is BackendName.LLM or (self.backend is BackendName.AUTO and has_key)
        return BackendName.LLM if wants_model else BackendName.HEURISTIC


class SearchRunSettings(SearchSettings):
    """All settings of a search."""

    backend: BackendSettings = BackendSettings()
    """The backend that answers the roles."""
    output: str | None = None
    """Path of the exported JSON; by default `exports/` in the data folder, with the name of the search."""


class DatasetRunSettings(DatasetSettings):
    """All settings of a dataset: its file, its reference, its hidden candidates, and the judge."""

    backend: BackendSettings = BackendSettings()
    """The backend of the judge, and of the models that answer prompts with too few candidates."""

    @model_validator(mode="after")
    def _check_prices(self) -> Self:
        llm = self.backend.llm
        if llm.max_cost is not None and (missing := sorted(set(self.responses.response_models) - set(llm.prices))):
            raise ValueError(f"max_cost is set but prices has no entry for {missing}; give each model a price")
        return self
