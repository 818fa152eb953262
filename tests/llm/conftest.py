"""What the tests of the model backend share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.llm import LlmSettings, ModelClient
from tests.llm.server import Fault, FaultScript, ModelServer

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_BASE_URL", "LLM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_API_KEY", KEY)


@pytest.fixture
def serve() -> Iterator[Callable[..., ModelServer]]:
    """Start servers that end with the test."""
    with ExitStack() as stack:

        def start(faults: Sequence[Fault | None] | FaultScript = (), **more: Any) -> ModelServer:
            return stack.enter_context(ModelServer(faults=faults, **more))

        yield start


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., LlmSettings]:
    """Settings for a server that wait next to nothing between tries."""

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
def client_for(settings_for: Callable[..., LlmSettings]) -> Callable[..., ModelClient]:
    return lambda server, **changes: ModelClient(settings_for(server, **changes))
