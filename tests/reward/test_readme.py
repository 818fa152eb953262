"""The README's way from prompts alone to a trainer: its very commands, over a scripted endpoint on loopback."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.llm.server import ModelServer, role_of
from tests.reward.searched import KEY, PROJECT


def commands() -> str:
    """Return the commands of the README's section."""
    section = (PROJECT / "README.md").read_text(encoding="utf-8").split("## Rubrics as a reward")[1].split("\n## ")[0]
    found = re.search(r"```\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# A reader types the commands one by one; a shell does not wait until the server listens.
ONE_BY_ONE = """set -e
trap 'kill $(jobs -p)' EXIT
{before}
for _ in $(seq 240); do {python} -c 'import httpx; httpx.get("{url}/healthz")' 2>/dev/null && break; sleep 0.5; done
{after}"""


@pytest.mark.slow
def test_the_readmes_commands_lead_from_prompts_alone_to_what_a_trainer_trains_on(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    port = free_port()
    before, serve, after = re.split(r"(?m)^(autosr serve .*)\n", commands().replace("8090", port))
    script = ONE_BY_ONE.format(
        before=before + serve, after=after, python=sys.executable, url=f"http://127.0.0.1:{port}"
    )
    with ModelServer() as server:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AUTOSR_HOME": str(tmp_path / "home"),
            "DAGSTER_HOME": "",
            "LLM_BASE_URL": server.base_url,
            "LLM_API_KEY": KEY,
        }

        done = subprocess.run(  # noqa: S603 - the README's own words
            ["/bin/bash", "-c", script],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=540, check=False,
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr
        assert {body["model"] for body in server.requests if role_of(body) == "responder"} == {"a", "b", "c"}
        asked = [lines(PROJECT / "examples" / "responses.jsonl"), lines(tmp_path / "scored.jsonl")]
        chosen = lines(tmp_path / "train.jsonl")
        highest = {row["prompt_id"]: 0.0 for row in asked[1]}
        for row in asked[1]:
            highest[row["prompt_id"]] = max(highest[row["prompt_id"]], row["score"])
        assert [row["response"] for row in asked[0]] == [row["response"] for row in asked[1]]
        assert {row["prompt_id"]: row["reward"] for row in chosen} == highest
        assert len(chosen) == 3
        assert "pair accuracy" in done.stdout
