"""The commands of the README that lead from prompts to training data, run over a scripted endpoint on loopback."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.assets.model_home import KEY, PROJECT
from tests.llm.server import ModelServer, role_of


def readme_commands() -> str:
    """Return the commands of the section on rewards."""
    section = (PROJECT / "README.md").read_text(encoding="utf-8").split("## Rubrics as a reward")[1].split("\n## ")[0]
    block = re.search(r"```\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block.group(1)


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# A reader types the commands one after the other; the script must wait until the server listens.
SCRIPT = """set -e
trap 'kill $(jobs -p)' EXIT
{before}
for _ in $(seq 240); do {python} -c 'import httpx; httpx.get("{url}/healthz")' 2>/dev/null && break; sleep 0.5; done
{after}"""


@pytest.mark.slow
def test_the_commands_of_the_readme_lead_from_prompts_to_training_data(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    port = free_port()
    before, serve, after = re.split(r"(?m)^(autosr serve .*)\n", readme_commands().replace("8090", port))
    url = f"http://127.0.0.1:{port}"
    script = SCRIPT.format(before=before + serve, after=after, python=sys.executable, url=url)
    with ModelServer() as server:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AUTOSR_HOME": str(tmp_path / "home"),
            "DAGSTER_HOME": "",
            "LLM_BASE_URL": server.base_url,
            "LLM_API_KEY": KEY,
        }

        done = subprocess.run(  # noqa: S603 - the commands of the README
            ["/bin/bash", "-c", script],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=540, check=False,
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr
        assert {body["model"] for body in server.requests if role_of(body) == "responder"} == {"a", "b", "c"}
        responses = read_json_lines(PROJECT / "examples" / "responses.jsonl")
        scored = read_json_lines(tmp_path / "scored.jsonl")
        chosen = read_json_lines(tmp_path / "train.jsonl")
        best_scores = {row["prompt_id"]: 0.0 for row in scored}
        for row in scored:
            best_scores[row["prompt_id"]] = max(best_scores[row["prompt_id"]], row["score"])
        assert [row["response"] for row in responses] == [row["response"] for row in scored]
        assert {row["prompt_id"]: row["reward"] for row in chosen} == best_scores
        assert len(chosen) == 3
        assert "pair accuracy" in done.stdout
