"""A search that is killed again and again ends as one that nobody disturbed, and pays twice only what was under way."""

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
from tests.reliability import one_search
from tests.reliability.ledger import Ledger, ledger, lost_by_process
from tests.reliability.processes import forked, wait_for

SLOW = 0.15
"""Seconds that a reply takes."""
AT_ONCE = 8


def test_a_prompt_whose_search_is_killed_ends_as_if_undisturbed_and_pays_twice_only_what_was_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick form of the next test: one kill, and no Dagster, whose three processes would take longer than all this."""
    ((share, _),) = moments(1)
    monkeypatch.setenv("LLM_API_KEY", "sk-scripted")
    with ModelServer(latency=0.01) as server:
        calm = asyncio.run(one_search.searched(server.base_url, tmp_path / "calm"))
        undisturbed = ledger(server)
        server.clear()

        command = [sys.executable, "-m", one_search.__name__, server.base_url, str(tmp_path / "killed")]
        killed = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own arguments
        assert wait_for(lambda: len(ledger(server)) >= share * len(undisturbed) or killed.poll() is not None)
        killed.kill()
        said, _ = killed.communicate()
        died = server.now()
        later = asyncio.run(one_search.searched(server.base_url, tmp_path / "killed"))

    assert said == "", "it was not killed on the way"
    assert later == calm
    paid = ledger(server)
    assert set(paid) == set(undisturbed)
    lost = lost_by_process(paid, undisturbed, [died])
    assert lost.get(0, 0) <= one_search.AT_ONCE
    assert 1 not in lost, "the second process asked something twice"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [25])
def test_a_search_that_is_killed_ends_as_if_undisturbed_and_pays_twice_only_what_was_under_way(
    kills: int, tmp_path: Path
) -> None:
    options = ("search", str(DEMO), *SMALL, "--max-concurrency", str(AT_ONCE))
    with ModelServer(latency=SLOW) as server:
        calm, killed = ModelHome(tmp_path / "calm", server.base_url), ModelHome(tmp_path / "killed", server.base_url)
        assert calm.autosr(*options).code == 0
        undisturbed = ledger(server)
        server.clear()

        deaths: list[float] = []
        for share, delay in moments(kills):
            process = forked(killed, *options, log=tmp_path / "log")
            wait_for(far_enough(server, share, undisturbed), process)
            time.sleep(delay)
            process.kill()
            process.join()
            deaths.append(server.now())
        last = killed.autosr(*options)

        assert last.code == 0, last.err
        paid = ledger(server)
        assert set(paid) == set(undisturbed)
        lost = lost_by_process(paid, undisturbed, deaths)
        assert all(count <= AT_ONCE for count in lost.values())
        assert kills not in lost, "the last run asked something twice"
        assert best_rubrics(killed) == best_rubrics(calm)
        assert without_run(killed.export("demo_dataset")) == without_run(calm.export("demo_dataset"))


def moments(kills: int) -> list[tuple[float, float]]:
    """Return when to kill: after which share of all calls, and how many seconds later; seeded.

    They are spread from before the first call, over every step, to the writing of the export.
    """
    dice = random.Random(7)
    return sorted((dice.random(), 1.5 * dice.random()) for _ in range(kills))


def far_enough(server: ModelServer, share: float, undisturbed: Ledger) -> Callable[[], bool]:
    """Return whether this share of the calls has been made, and one of them by a process that has begun just now."""
    before = len(server.requests)

    def is_so() -> bool:
        made = len(ledger(server))
        is_nearly_done = made == len(undisturbed)
        return made >= share * len(undisturbed) and (is_nearly_done or len(server.requests) > before)

    return is_so


def best_rubrics(home: ModelHome) -> dict[str, bytes]:
    """Return the bytes of the tables of the best rubrics."""
    folder = home.root / "storage" / "demo_dataset" / "best_rubrics"
    return {path.name: path.read_bytes() for path in folder.iterdir()}
