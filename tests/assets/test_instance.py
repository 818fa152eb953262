"""Dagster's records: made once, whoever comes first."""

import multiprocessing
import os
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from autosr_assets.dagster_internals.event_batches import BATCH_SIZE, BATCH_VARIABLE
from autosr_assets.runtime.instance import open_instance

PROCESSES, HOMES = 3, 6  # without the lock, every fourth home that two open at once has one that fails


def _open_at_once(barrier: Barrier, homes: list[Path]) -> None:
    for home in homes:
        os.environ["AUTOSR_HOME"] = str(home)
        os.environ.pop("DAGSTER_HOME", None)
        barrier.wait(60)
        with open_instance() as instance:
            assert instance.get_runs_count() == 0


def test_processes_that_open_a_new_home_at_once_all_get_it(tmp_path: Path) -> None:
    forking = multiprocessing.get_context("fork")
    barrier = forking.Barrier(PROCESSES)
    homes = [tmp_path / f"home-{number}" for number in range(HOMES)]
    opening = [forking.Process(target=_open_at_once, args=(barrier, homes)) for _ in range(PROCESSES)]

    for process in opening:
        process.start()
    for process in opening:
        process.join(120)

    assert [process.exitcode for process in opening] == [0] * PROCESSES


def test_a_home_that_cannot_be_written_is_opened_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / ".lock").mkdir()

    with open_instance() as instance:
        assert instance.get_runs_count() == 0


def test_events_are_asked_for_in_batches_whatever_stores_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")  # Dagster's own storage, as with Postgres
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv(BATCH_VARIABLE, "")
    monkeypatch.delenv(BATCH_VARIABLE)

    with open_instance():
        assert os.environ[BATCH_VARIABLE] == BATCH_SIZE
