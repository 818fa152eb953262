"""Fixtures of the tests of the model backend: servers, settings and clients."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.settings import LlmSettings
from tests.llm.server import Fault, FaultScript, ModelServer

KEY = "sk-secret-0123456789abcdef"

Serve = Callable[..., ModelServer]
ClientFor = Callable[..., ModelClient]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_BASE_URL", "LLM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_API_KEY", KEY)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that stop at the end of the test."""
    with ExitStack() as stack:

        def start(faults: Sequence[Fault | None] | FaultScript = (), **options: Any) -> ModelServer:
            return stack.enter_context(ModelServer(faults=faults, **options))

        yield start


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., LlmSettings]:
    """Return settings for a server, with very short waits before retries."""

    def make(server: ModelServer, **changes: Any) -> LlmSettings:
        quick = {
            "base_url": server.base_url,
            "model_default": "scripted",
            "cache_dir": str(tmp_path / "cache"),
            "llm_retry_backoff_base": 0.005,
            "llm_retry_backoff_max": 0.02,
            "llm_timeout": 5.0,
            "llm_deadline": 20.0,
        }
        return LlmSettings(**(quick | changes))

    return make


@pytest.fixture
def client_for(settings_for: Callable[..., LlmSettings]) -> ClientFor:
    return lambda server, **changes: ModelClient(settings_for(server, **changes))
