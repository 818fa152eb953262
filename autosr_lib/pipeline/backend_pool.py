"""The backends of one run. Steps with the same settings share one client, and with it its rate limits and budget."""

import json
from collections.abc import Callable

from autosr_lib.backends import Backend, open_backend
from autosr_lib.evaluation.settings import GradingSettings
from autosr_lib.llm.cache import open_cache
from autosr_lib.llm.cache.reply_cache import NoCache
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.settings import BackendSettings


def cache_in_working_directory(cache_dir: str) -> str:
    """Return the location of the cache of replies for a setting `cache_dir`: the path itself.

    >>> cache_in_working_directory("cache")
    'cache'
    """
    return cache_dir


class BackendPool:
    """Opens each backend at its first use.

    Args:
        run_id: name of the run's table of calls.
        cache_location: returns the location of the cache of replies for a setting `cache_dir`.
    """

    def __init__(self, run_id: str = "", cache_location: Callable[[str], str] = cache_in_working_directory) -> None:
        self.run_id = run_id
        self._cache_location = cache_location
        self._backends: dict[str, Backend] = {}
        self._clients: dict[str, ModelClient] = {}

    def get(self, settings: BackendSettings, grading: GradingSettings, seed: int) -> Backend:
        """Return the backend for these settings.

        Raises:
            SettingsError: the backend is `llm` and its API key is missing.
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
