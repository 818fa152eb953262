"""Two searches in two processes at once, on one home, storage and reply cache: each ends as it would alone."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from autosr_lib.llm.cache.sqlite import FILE_NAME
from tests.assets.model_home import DEMO, SHORT, SMALL, ModelHome, without_run
from tests.llm.server import ModelServer
from tests.reliability.ledger import ledger
from tests.reliability.processes import LONGEST, forked

SLOW = 0.15
"""Seconds that a reply takes, so that the two are under way together."""
AGAIN = 2
"""How often the two begin anew: what goes wrong between them does so now and then."""

pytestmark = pytest.mark.slow


@pytest.mark.timeout(900)
def test_the_same_search_twice_at_once_ends_as_one_alone(tmp_path: Path) -> None:
    search = ("search", str(DEMO), *SMALL)
    with ModelServer(latency=SLOW) as server:
        calm = ModelHome(tmp_path / "calm", server.base_url)
        assert calm.autosr(*search).code == 0
        undisturbed = ledger(server)

        for number in range(AGAIN):
            server.clear()
            home = ModelHome(tmp_path / f"home-{number}", server.base_url)
            at_once(home, [search, search])

            assert set(ledger(server)) == set(undisturbed)
            assert tables(home, "demo_dataset") == tables(calm, "demo_dataset")
            assert without_run(home.export("demo_dataset")) == without_run(calm.export("demo_dataset"))
            assert_nothing_is_torn_or_lost(home, server, [search], replies=replies_kept(calm))


@pytest.mark.timeout(900)
def test_two_searches_at_once_over_one_dataset_each_end_as_alone(tmp_path: Path) -> None:
    searches = [("search", "--search", name, *SHORT) for name in ("evolutionary", "iterative")]
    with ModelServer(latency=SLOW) as server:
        calm = ModelHome(tmp_path / "calm", server.base_url)
        assert [calm.autosr(*search).code for search in searches] == [0, 0]
        undisturbed = ledger(server)

        for number in range(AGAIN):
            server.clear()
            home = ModelHome(tmp_path / f"home-{number}", server.base_url)
            at_once(home, searches)

            assert set(ledger(server)) == set(undisturbed)
            for name in ("evolutionary", "iterative"):
                assert tables(home, name) == tables(calm, name)
                assert without_run(home.export(name)) == without_run(calm.export(name))
            assert_nothing_is_torn_or_lost(home, server, searches, replies=replies_kept(calm))


def at_once(home: ModelHome, commands: Sequence[Sequence[str]]) -> None:
    """Run the commands at once, each in a process of its own; all end, and well."""
    home.root.mkdir()
    logs = [home.root.with_name(f"{home.root.name}-{number}.log") for number in range(len(commands))]
    running = [forked(home, *command, log=log) for command, log in zip(commands, logs, strict=True)]
    _wait(running)
    said = [log.read_text() for log in logs]
    assert [process.exitcode for process in running] == [0] * len(running), said
    assert not any("warning" in text or "Traceback" in text for text in said), said


def _wait(running: Sequence[BaseProcess]) -> None:
    ends = time.monotonic() + LONGEST
    try:
        for process in running:
            process.join(max(0, ends - time.monotonic()))
            assert process.exitcode is not None, "a command hangs"
    finally:
        for process in running:
            process.kill()


def tables(home: ModelHome, name: str) -> Mapping[str, bytes]:
    """Return the bytes of the tables of a search by place."""
    folder = home.root / "storage" / name / "best_rubrics"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def replies_kept(home: ModelHome) -> int:
    """Return how many replies a sound cache keeps."""
    [file] = home.root.rglob(FILE_NAME)
    with closing(sqlite3.connect(file)) as cache:
        assert cache.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(cache.execute("SELECT count(*) FROM replies").fetchone()[0])


def assert_nothing_is_torn_or_lost(
    home: ModelHome, server: ModelServer, commands: Sequence[Sequence[str]], replies: int
) -> None:
    """Every file is whole and has its final name, each reply is kept, and a repetition from nothing asks nothing."""
    files = [path for path in (home.root / "storage").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".parquet"}
    assert all(pq.read_table(path, partitioning=None).num_columns for path in files)
    assert replies_kept(home) == replies
    asked = len(server.requests)
    home.delete_tables()
    assert [home.autosr(*command).code for command in commands] == [0] * len(commands)
    assert len(server.requests) == asked
