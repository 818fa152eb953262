"""What the tests of rubrics put to work share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.llm.server import ModelServer
from tests.reward.searched import DEMO, KEY, Searched


@pytest.fixture(autouse=True)
def _a_key_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_BASE_URL", "LLM_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_API_KEY", KEY)


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """Return a home in which the demo was searched offline."""
    home = Searched(tmp_path_factory.mktemp("offline"))
    home.search("--backend", "heuristic")
    return home


@pytest.fixture(scope="session")
def by_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    """Return a home in which the demo was searched over a scripted endpoint, which goes on answering."""
    with ModelServer() as server:
        home = Searched(tmp_path_factory.mktemp("by_model"), server.base_url)
        home.search()
        yield home


@pytest.fixture
def search_with(tmp_path: Path) -> Iterator[Callable[..., tuple[Searched, ModelServer]]]:
    """Search the demo, or another dataset, with some options over a server of its own; both end with the test."""
    with ExitStack() as stack:

        def search(*options: str, dataset: Path = DEMO) -> tuple[Searched, ModelServer]:
            server = stack.enter_context(ModelServer())
            home = Searched(tmp_path / "home", server.base_url)
            home.search(*options, dataset=dataset)
            return home, server

        yield search
