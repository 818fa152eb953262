"""Two concurrent searches in two processes that share a home and a reply cache end as each would alone."""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from autosr_lib.llm.cache.sqlite import FILE_NAME
from tests.assets.model_home import DEMO, SMALL, SMALL_OF_GRAPH, ModelHome, without_run
from tests.llm.server import ModelServer
from tests.reliability.processes import TIMEOUT_SECONDS, fork_autosr
from tests.reliability.request_times import request_times

LATENCY = 0.15
"""Seconds that a reply takes, so that the searches overlap."""
REPETITIONS = 2
"""How often each pair of searches is run; faults of concurrency do not occur every time."""

pytestmark = pytest.mark.slow


@pytest.mark.timeout(900)
def test_two_runs_of_the_same_search_end_as_one(tmp_path: Path) -> None:
    search = ("search", str(DEMO), *SMALL)
    with ModelServer(latency=LATENCY) as server:
        undisturbed = ModelHome(tmp_path / "undisturbed", server.base_url)
        assert undisturbed.autosr(*search).code == 0
        expected_requests = set(request_times(server))

        for number in range(REPETITIONS):
            server.clear()
            home = ModelHome(tmp_path / f"home-{number}", server.base_url)
            run_concurrently(home, [search, search])

            assert set(request_times(server)) == expected_requests
            assert home.best_rubric_files() == undisturbed.best_rubric_files()
            assert without_run(home.export("demo_dataset")) == without_run(undisturbed.export("demo_dataset"))
            check_files_and_cache(home, server, [search], replies=count_cached_replies(undisturbed))


@pytest.mark.timeout(900)
def test_two_different_searches_of_one_dataset_end_as_each_would_alone(tmp_path: Path) -> None:
    searches = [("search", "--search", name, *SMALL_OF_GRAPH) for name in ("evolutionary", "iterative")]
    with ModelServer(latency=LATENCY) as server:
        undisturbed = ModelHome(tmp_path / "undisturbed", server.base_url)
        assert [undisturbed.autosr(*search).code for search in searches] == [0, 0]
        expected_requests = set(request_times(server))

        for number in range(REPETITIONS):
            server.clear()
            home = ModelHome(tmp_path / f"home-{number}", server.base_url)
            run_concurrently(home, searches)

            assert set(request_times(server)) == expected_requests
            for name in ("evolutionary", "iterative"):
                assert home.best_rubric_files(name) == undisturbed.best_rubric_files(name)
                assert without_run(home.export(name)) == without_run(undisturbed.export(name))
            check_files_and_cache(home, server, searches, replies=count_cached_replies(undisturbed))


def run_concurrently(home: ModelHome, commands: Sequence[Sequence[str]]) -> None:
    """Run each command in a separate process, and check that all succeed without a warning."""
    home.root.mkdir()
    logs = [home.root.with_name(f"{home.root.name}-{number}.log") for number in range(len(commands))]
    processes = [fork_autosr(home, *command, log=log) for command, log in zip(commands, logs, strict=True)]
    _join(processes)
    outputs = [log.read_text() for log in logs]
    assert [process.exitcode for process in processes] == [0] * len(processes), outputs
    assert not any("warning" in output or "Traceback" in output for output in outputs), outputs


def _join(processes: Sequence[BaseProcess]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        for process in processes:
            process.join(max(0, deadline - time.monotonic()))
            assert process.exitcode is not None, "a command hangs"
    finally:
        for process in processes:
            process.kill()


def count_cached_replies(home: ModelHome) -> int:
    """Return the number of replies in the cache, after checking its integrity."""
    [file] = home.root.rglob(FILE_NAME)
    with closing(sqlite3.connect(file)) as cache:
        assert cache.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(cache.execute("SELECT count(*) FROM replies").fetchone()[0])


def check_files_and_cache(
    home: ModelHome, server: ModelServer, commands: Sequence[Sequence[str]], replies: int
) -> None:
    """Check that all files are complete, every reply is cached, and the searches can be repeated without a request."""
    files = [path for path in (home.root / "storage").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".parquet"}
    assert all(pq.read_table(path, partitioning=None).num_columns for path in files)
    assert count_cached_replies(home) == replies
    sent = len(server.requests)
    home.delete_tables()
    assert [home.autosr(*command).code for command in commands] == [0] * len(commands)
    assert len(server.requests) == sent
