"""A search that is killed and continued ends as an undisturbed one, and repeats only the requests that were in flight."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.assets.model_home import DEMO, SMALL, ModelHome, without_run
from tests.llm.server import ModelServer
from tests.reliability import search_one_prompt
from tests.reliability.processes import fork_autosr, wait_until
from tests.reliability.request_times import lost_replies, request_times

LATENCY = 0.15
"""Seconds that a reply takes."""
CONCURRENCY = 8


def test_the_search_of_a_prompt_that_is_killed_repeats_only_the_requests_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast form of the next test, with one kill and without Dagster."""
    ((share, _),) = kill_times(1)
    monkeypatch.setenv("LLM_API_KEY", "sk-scripted")
    with ModelServer(latency=0.01) as server:
        expected = asyncio.run(search_one_prompt.search(server.base_url, tmp_path / "undisturbed"))
        undisturbed = request_times(server)
        server.clear()

        command = [sys.executable, "-m", search_one_prompt.__name__, server.base_url, str(tmp_path / "killed")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own arguments
        assert wait_until(lambda: len(request_times(server)) >= share * len(undisturbed) or process.poll() is not None)
        process.kill()
        output, _ = process.communicate()
        died_at = server.now()
        continued = asyncio.run(search_one_prompt.search(server.base_url, tmp_path / "killed"))

    assert output == "", "the search had ended before it was killed"
    assert continued == expected
    times = request_times(server)
    assert set(times) == set(undisturbed)
    lost = lost_replies(times, undisturbed, [died_at])
    assert lost.get(0, 0) <= search_one_prompt.CONCURRENCY
    assert 1 not in lost, "the second process sent a request twice"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [25])
def test_a_search_that_is_killed_ends_as_an_undisturbed_one_and_repeats_only_the_requests_in_flight(
    kills: int, tmp_path: Path
) -> None:
    command = ("search", str(DEMO), *SMALL, "--max-concurrency", str(CONCURRENCY))
    with ModelServer(latency=LATENCY) as server:
        reference, killed = (
            ModelHome(tmp_path / "reference", server.base_url),
            ModelHome(tmp_path / "killed", server.base_url),
        )
        assert reference.autosr(*command).code == 0
        undisturbed = request_times(server)
        server.clear()

        deaths: list[float] = []
        for share, delay in kill_times(kills):
            process = fork_autosr(killed, *command, log=tmp_path / "log")
            wait_until(has_sent(server, share, len(undisturbed)), process)
            time.sleep(delay)
            process.kill()
            process.join()
            deaths.append(server.now())
        last = killed.autosr(*command)

        assert last.code == 0, last.err
        times = request_times(server)
        assert set(times) == set(undisturbed)
        lost = lost_replies(times, undisturbed, deaths)
        assert all(count <= CONCURRENCY for count in lost.values())
        assert kills not in lost, "the last process sent a request twice"
        assert killed.best_rubric_files() == reference.best_rubric_files()
        assert without_run(killed.export("demo_dataset")) == without_run(reference.export("demo_dataset"))


def kill_times(kills: int) -> list[tuple[float, float]]:
    """Return when to kill: after which share of all requests, and how many seconds later; drawn with a fixed seed.

    The times range from before the first request to the writing of the export.
    """
    rng = random.Random(7)
    return sorted((rng.random(), 1.5 * rng.random()) for _ in range(kills))


def has_sent(server: ModelServer, share: float, total: int) -> Callable[[], bool]:
    """Return a condition: this share of all requests has been sent, at least one of them after this call.

    No further request is needed if all have been sent.
    """
    before = len(server.requests)

    def condition() -> bool:
        sent = len(request_times(server))
        return sent >= share * total and (sent == total or len(server.requests) > before)

    return condition
