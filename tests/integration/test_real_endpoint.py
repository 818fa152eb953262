"""A search over a real endpoint: `make test-integration`.

It needs the environment variable `LLM_API_KEY`, and for an endpoint other than OpenRouter also `LLM_BASE_URL` and `LLM_MODEL`.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from autosr_lib.llm.settings import DEFAULT_BASE_URL, DEFAULT_MODEL
from autosr_lib.storage.table_names import TableName
from tests.assets.commands import Home
from tests.assets.model_home import DEMO

KEY = os.environ.get("LLM_API_KEY", "")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not KEY, reason="LLM_API_KEY is not set"),
]

SMALL = ("--generations", "1", "--mutations-per-round", "2", "--initial-proposals", "2", "--max-concurrency", "4")


@dataclass(frozen=True)
class RealHome(Home):
    """A home whose commands use the endpoint of the environment variables."""

    def environment(self) -> Mapping[str, str]:
        return {
            **super().environment(),
            "LLM_API_KEY": KEY,
            "LLM_BASE_URL": os.environ.get("LLM_BASE_URL", DEFAULT_BASE_URL),
            "LLM_MODEL": os.environ.get("LLM_MODEL", DEFAULT_MODEL),
        }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> RealHome:
    """Return a home in which the demo dataset was searched."""
    home = RealHome(tmp_path_factory.mktemp("real"))
    result = home.autosr("search", str(DEMO), "--formal", *SMALL)
    assert result.code == 0, result.err
    return home


def test_every_prompt_gets_a_rubric_with_scores(home: RealHome) -> None:
    export = home.export("demo_dataset")

    ids = [prompt["prompt_id"] for prompt in json.loads(DEMO.read_text())["prompts"]]
    assert [entry["prompt_id"] for entry in export["best_rubrics"]] == ids
    for entry in export["best_rubrics"]:
        assert len(entry["rubric"]["criteria"]) >= 2
        assert all(0 <= score <= 1 for score in entry["candidate_scores"].values() if score is not None)


def test_at_least_nine_in_ten_replies_can_be_read(home: RealHome) -> None:
    runs = sorted((home.root / "storage" / "calls").iterdir())
    outcomes = [
        row["outcome"]
        for run in runs
        for _, rows in home.store.scan(TableName.calls(run.name))
        for row in rows.to_pylist()
    ]

    assert len(outcomes) > 20
    assert outcomes.count("good") >= 0.9 * len(outcomes)


def test_a_repeated_search_has_nothing_to_do(home: RealHome) -> None:
    result = home.autosr("search", str(DEMO), "--formal", *SMALL)

    assert result.code == 0
    assert "up to date" in result.out


def test_the_key_is_in_no_file(home: RealHome) -> None:
    files = [path for path in home.root.rglob("*") if path.is_file()]

    assert [str(path) for path in files if KEY.encode() in path.read_bytes()] == []
