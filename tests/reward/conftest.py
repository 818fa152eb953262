"""Searched homes, shared by the tests of rewards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.assets.model_home import KEY
from tests.llm.server import ModelServer
from tests.reward.searched_home import DEMO, SearchedHome


@pytest.fixture(autouse=True)
def _only_the_api_key_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_BASE_URL", "LLM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_API_KEY", KEY)


@pytest.fixture(scope="session")
def offline_home(tmp_path_factory: pytest.TempPathFactory) -> SearchedHome:
    """Return a home in which the demo was searched offline."""
    home = SearchedHome(tmp_path_factory.mktemp("offline"))
    home.search("--backend", "heuristic")
    return home


@pytest.fixture(scope="session")
def model_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchedHome]:
    """Yield a home in which the demo was searched over a scripted endpoint, which keeps running."""
    with ModelServer() as server:
        home = SearchedHome(tmp_path_factory.mktemp("model"), server.base_url)
        home.search()
        yield home


@pytest.fixture
def search_with(tmp_path: Path) -> Iterator[Callable[..., tuple[SearchedHome, ModelServer]]]:
    """Yield a function that searches a dataset with some options over a new server, which stops with the test."""
    with ExitStack() as stack:

        def search(*options: str, dataset: Path = DEMO) -> tuple[SearchedHome, ModelServer]:
            server = stack.enter_context(ModelServer())
            home = SearchedHome(tmp_path / "home", server.base_url)
            home.search(*options, dataset=dataset)
            return home, server

        yield search
