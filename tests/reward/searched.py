"""Exports of real searches, over a scripted endpoint on loopback or offline, for the tests of what is made of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.assets.commands import CommandResult, Home
from tests.llm.server import ModelServer

KEY = "sk-marked-4b1d0e77a2c95f38"
PROJECT = Path(__file__).parents[2]
DEMO = PROJECT / "examples" / "demo_dataset_with_rank.json"
SMALL = ("--generations", "1", "--mutations-per-round", "2", "--initial-proposals", "2")
QUICK = ("--llm-retry-backoff-base", "0.005", "--llm-retry-backoff-max", "0.02")


@dataclass(frozen=True)
class Searched(Home):
    """A home in which a dataset was searched by asking a server."""

    base_url: str = ""

    def environment(self) -> Mapping[str, str]:
        key = {"LLM_API_KEY": KEY, "LLM_BASE_URL": self.base_url, "LLM_MODEL": "scripted"} if self.base_url else {}
        return {**super().environment(), **key}

    def search(self, *options: str, dataset: Path = DEMO) -> CommandResult:
        said = self.autosr("search", str(dataset), "--name", "ranked", *SMALL, *QUICK, *options)
        assert said.code == 0, said.err
        return said

    @property
    def path(self) -> Path:
        return self.root / "exports" / "ranked.json"

    @property
    def cache(self) -> str:
        return str(self.root / "cache")

    def said(self) -> Any:
        return json.loads(self.path.read_text(encoding="utf-8"))


def responses(dataset: Path = DEMO) -> dict[tuple[str, str], str]:
    """Return the dataset's candidates by (prompt id, candidate id)."""
    prompts = json.loads(dataset.read_text(encoding="utf-8"))["prompts"]
    return {(p["prompt_id"], c["candidate_id"]): c["text"] for p in prompts for c in p["candidates"]}


def without_time(server: ModelServer) -> list[str]:
    """Return what a server was sent, byte for byte as far as JSON goes, in an order that does not depend on time."""
    return sorted(json.dumps(body, sort_keys=True) for body in server.requests)
