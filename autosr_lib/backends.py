"""Backends: who answers the roles, a model behind an endpoint or heuristics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.search.fingerprints import Identity
from autosr_lib.search.roles import Roles
from autosr_lib.settings import BackendName, BackendSettings


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
