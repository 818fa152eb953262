"""Backends: who answers the roles, a model behind an endpoint or heuristics, and by which settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import Field

from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.settings import GradingSettings, Settings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.search.fingerprints import Identity
from autosr_lib.search.roles import Roles
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


class DatasetRunSettings(DatasetSettings):
    """All settings of a dataset: its file, what is true and hidden, and who judges where labels do not."""

    backend: BackendSettings = BackendSettings()
    """Who judges."""


@dataclass(frozen=True)
class Backend:
    """The roles, and by role a description of who answers, for fingerprints and the manifest; it holds no secret."""

    name: BackendName
    roles: Roles
    identity: Identity


def open_backend(settings: BackendSettings, grading: GradingSettings, seed: int) -> Backend:
    """Return the backend that the settings ask for.

    Raises:
        SettingsError: a model is asked for without a key.
    """
    name = settings.resolved
    if name is BackendName.LLM:
        raise SettingsError("backend is 'llm', which this version does not have yet; allowed: 'heuristic'")
    noisy: Mapping[str, Any] = {"noise": settings.noise, "seed": seed} if settings.noise else {}
    identity = {
        "initializer": {"backend": str(name)},
        "proposer": {"backend": str(name)},
        "verifier": {"backend": str(name), **noisy},
        "judge": {"backend": str(name)},
    }
    return Backend(name, heuristic_roles(seed, settings.noise), identity)
