"""What assets use beside tables and settings: the backends of a run, and somebody to tell how far it is."""

import json
from typing import TYPE_CHECKING, Protocol

import dagster as dg

from autosr_assets.runtime.home import cache_location
from autosr_assets.runtime.run_process import tag_run
from autosr_assets.steps.handover import Handover
from autosr_lib.backends import Backend, open_backend
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm import LlmSettings
from autosr_lib.llm.cache import NoCache
from autosr_lib.llm.shared_cache import open_cache
from autosr_lib.settings import BackendSettings

if TYPE_CHECKING:
    from autosr_lib.llm.client import ModelClient

BACKENDS = "backends"
PROGRESS = "progress"
HANDOVER = "handover"


class Backends:
    """The backends of one run: steps with the same settings share one, and with it its limits."""

    def __init__(self, run_id: str = "") -> None:
        self.run_id = run_id
        self._open: dict[str, Backend] = {}
        self._clients: dict[str, ModelClient] = {}

    def get(self, settings: BackendSettings, grading: GradingSettings, seed: int) -> Backend:
        """Return the backend for these settings, opened at its first use."""
        name = json.dumps([settings.model_dump(mode="json"), grading.model_dump(mode="json"), seed])
        if name not in self._open:
            self._open[name] = open_backend(settings, grading, seed, self._client)
        return self._open[name]

    def _client(self, settings: LlmSettings) -> "ModelClient":
        """Return the one client of these settings: a run has one limit, one budget and one record of calls."""
        name = settings.model_dump_json()
        if name not in self._clients:
            cache = open_cache(cache_location(settings.cache_dir)) if settings.llm_cache else NoCache()
            from autosr_lib.llm.client import ModelClient  # noqa: PLC0415 - openai is slow to import

            self._clients[name] = ModelClient(settings, cache=cache)
        return self._clients[name]


class Progress(Protocol):
    """Somebody who is told how far a step is."""

    def expect(self, total: int) -> None:
        """All runs together are over this many prompts."""

    def begin(self, step: str, total: int) -> None:
        """A step begins, over `total` prompts."""

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """A prompt is through: computed or already there, failed or not."""

    def end(self, step: str) -> None:
        """A step has ended."""


class Silence:
    """Progress that nobody watches; the web UI has its own."""

    def expect(self, total: int) -> None:
        """Say nothing."""

    def begin(self, step: str, total: int) -> None:
        """Say nothing."""

    def advance(self, step: str, *, is_new: bool, is_failed: bool) -> None:
        """Say nothing."""

    def end(self, step: str) -> None:
        """Say nothing."""


def _backends(init: dg.InitResourceContext) -> Backends:
    if init.run is None:
        return Backends()
    # The first place of ours in the process that runs the steps, all of them: our jobs have the in-process executor.
    if init.instance is not None:
        tag_run(init.instance, init.run)
    return Backends(init.run.run_id)


def run_resources(progress: Progress | None = None) -> dict[str, dg.ResourceDefinition]:
    """Return the resources that every component needs, beside the tables."""
    return {
        BACKENDS: dg.ResourceDefinition(
            _backends,
            description="Who answers the roles; opened when needed.",
        ),
        PROGRESS: dg.ResourceDefinition.hardcoded_resource(progress or Silence(), "Who is told how far a run is."),
        HANDOVER: dg.ResourceDefinition(
            lambda _: Handover(), description="What the steps of a run hand over in memory; made anew for each run."
        ),
    }
