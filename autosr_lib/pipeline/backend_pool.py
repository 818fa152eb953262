"""The backends of one run: steps with the same settings share one client, and with it its limits and its budget."""

import json
from collections.abc import Callable

from autosr_lib.backends import Backend, open_backend
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.cache import open_cache
from autosr_lib.llm.cache.reply_cache import NoCache
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.settings import BackendSettings


def in_working_directory(cache_dir: str) -> str:
    """Return where the replies of a setting `cache_dir` are kept, when no home says otherwise."""
    return cache_dir


class BackendPool:
    """Opens each backend at its first use.

    Args:
        run_id: names the run in the table of calls.
        cache_location: returns where the replies of a setting `cache_dir` are kept.
    """

    def __init__(self, run_id: str = "", cache_location: Callable[[str], str] = in_working_directory) -> None:
        self.run_id = run_id
        self._cache_location = cache_location
        self._backends: dict[str, Backend] = {}
        self._clients: dict[str, ModelClient] = {}

    def get(self, settings: BackendSettings, grading: GradingSettings, seed: int) -> Backend:
        """Return the backend for these settings.

        Raises:
            SettingsError: a model is asked for without a key.
            TemplateError: a template is missing or wrong.
        """
        key = json.dumps([settings.model_dump(mode="json"), grading.model_dump(mode="json"), seed])
        if key not in self._backends:
            self._backends[key] = open_backend(settings, grading, seed, self._client)
        return self._backends[key]

    def _client(self, settings: LlmSettings) -> ModelClient:
        key = settings.model_dump_json()
        if key not in self._clients:
            cache = open_cache(self._cache_location(settings.cache_dir)) if settings.llm_cache else NoCache()
            self._clients[key] = ModelClient(settings, cache=cache)
        return self._clients[key]
