"""Fixtures of several test files."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assets.commands import CommandResult, Home, fake_backend, fresh_dagster_home
from tests.assets.model_home import DEMO, SMALL, ModelHome
from tests.assets.watched_search import WatchedSearch
from tests.llm.server import ModelServer


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedSearch]:
    """Return a dataset and a search in a home of their own, with fake roles."""
    home = Home(tmp_path / "home")
    shutil.copytree(fresh_dagster_home(), home.root / "dagster")
    monkeypatch.delenv("LLM_API_KEY", raising=False)
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    with home.dagster() as instance:
        search = WatchedSearch(home, instance)
        monkeypatch.setattr("autosr_lib.pipeline.backend_pool.open_backend", lambda *_: fake_backend(search.roles))
        yield search


@pytest.fixture(scope="session")
def demo_search(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelHome, ModelServer, CommandResult]:
    """Return a home in which the demo was searched once, the server that answered, and the output of the command."""
    with ModelServer() as server:
        home = ModelHome(tmp_path_factory.mktemp("demo"), server.base_url)
        return home, server, home.search(DEMO, *SMALL, "--verbose")
