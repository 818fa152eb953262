"""Homes in which a dataset was searched, over a scripted endpoint on loopback or offline, and the exports of these searches."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autosr_lib.reward import Rubrics
from tests.assets.commands import CommandResult, Home
from tests.assets.model_home import KEY, PROJECT, QUICK
from tests.llm.server import ModelServer

DEMO = PROJECT / "examples" / "demo_dataset_with_rank.json"
NAME = "ranked"
SMALL = ("--generations", "1", "--mutations-per-round", "2", "--initial-proposals", "2")


@dataclass(frozen=True)
class SearchedHome(Home):
    """A home with the export of one search; without a `base_url` its commands run offline."""

    base_url: str = ""

    def environment(self) -> Mapping[str, str]:
        endpoint = {"LLM_API_KEY": KEY, "LLM_BASE_URL": self.base_url, "LLM_MODEL": "scripted"} if self.base_url else {}
        return {**super().environment(), **endpoint}

    def search(self, *options: str, dataset: Path = DEMO) -> None:
        result = self.autosr("search", str(dataset), "--name", NAME, *SMALL, *QUICK, *options)
        assert result.code == 0, result.err

    @property
    def export_path(self) -> Path:
        return self.root / "exports" / f"{NAME}.json"

    def read_export(self) -> Any:
        return self.export(NAME)

    @property
    def prompt_ids(self) -> list[str]:
        return [entry["prompt_id"] for entry in self.read_export()["best_rubrics"]]

    def rubrics(self) -> Rubrics:
        """Return the rubrics with the reply cache of the search."""
        return Rubrics.load(self.export_path, cache_dir=str(self.root / "cache"))

    def autosr_on_export(self, command: str, *arguments: str | Path) -> CommandResult:
        """Run a command whose first argument is the export."""
        return self.autosr(command, str(self.export_path), *map(str, arguments))


def uncached_rubrics(path: Path, server: ModelServer) -> Rubrics:
    """Return the rubrics of an export, which send every request to this server."""
    return Rubrics.load(path, settings={"base_url": server.base_url, "llm_cache": False})


def write_export(folder: Path, export: Any) -> Path:
    path = folder / "export.json"
    path.write_text(json.dumps(export))
    return path


def candidate_texts(dataset: Path = DEMO) -> dict[tuple[str, str], str]:
    """Return the dataset's candidates by (prompt id, candidate id)."""
    prompts = json.loads(dataset.read_text(encoding="utf-8"))["prompts"]
    return {
        (prompt["prompt_id"], candidate["candidate_id"]): candidate["text"]
        for prompt in prompts
        for candidate in prompt["candidates"]
    }


def sorted_requests(server: ModelServer) -> list[str]:
    """Return the requests to a server as JSON, in an order that does not depend on time."""
    return sorted(json.dumps(body, sort_keys=True) for body in server.requests)
