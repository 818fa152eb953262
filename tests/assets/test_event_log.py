"""The batched event log keeps what Dagster's own keeps, in the same files, and can be exchanged for it."""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from sqlalchemy.exc import DBAPIError

from autosr_assets.dagster_internals.event_batches import BATCH_VARIABLE
from autosr_assets.dagster_internals.event_log import BatchedSqliteEventLog, _engine
from autosr_lib.errors import SettingsError
from tests.assets.range_job import BEST, PROMPTS, RANGE, range_instance, range_job, run_range

OURS = "event_log_storage: {module: autosr_assets.event_log, class: BatchedSqliteEventLog}\n"


def _run(home: Path, yaml: str, monkeypatch: pytest.MonkeyPatch, bad: str = "b") -> dg.DagsterInstance:
    instance = range_instance(home, yaml, monkeypatch)
    run_range(instance, bad)
    return instance


def _kept(home: Path) -> Mapping[str, list[Any]]:
    """Return what the database of all runs holds, without ids and times."""
    with sqlite3.connect(home / "history" / "runs" / "index.db") as db:
        return {
            "events": sorted(
                db.execute("SELECT dagster_event_type, asset_key, partition, step_key FROM event_logs").fetchall(),
                key=str,
            ),
            "tags": sorted(
                db.execute(
                    "SELECT t.asset_key, t.key, t.value, e.partition FROM asset_event_tags t "
                    "JOIN event_logs e ON e.id = t.event_id WHERE t.key NOT LIKE '%pointer%'"
                ).fetchall()
            ),
            "assets": sorted(
                db.execute(
                    "SELECT asset_key, last_materialization IS NOT NULL, last_run_id = (SELECT max(run_id) FROM event_logs) "
                    "FROM asset_keys"
                ).fetchall()
            ),
        }


@pytest.fixture(autouse=True)
def _undo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BATCH_VARIABLE, "")  # so that what the storage sets is undone
    monkeypatch.delenv(BATCH_VARIABLE)


def test_a_range_run_leaves_what_dagsters_own_event_log_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(tmp_path / "theirs", "", monkeypatch)

    _run(tmp_path / "ours", OURS, monkeypatch)

    theirs, ours = _kept(tmp_path / "theirs"), _kept(tmp_path / "ours")
    assert ours == theirs
    assert sum(row[0] == "ASSET_MATERIALIZATION" for row in ours["events"]) == 7
    assert len(ours["assets"]) == 2


def test_good_prompts_are_green_and_the_failed_one_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = _run(tmp_path / "ours", OURS, monkeypatch)

    assert instance.get_materialized_partitions(BEST) == set("acd")
    status = get_and_update_asset_status_cache_value(instance, BEST, PROMPTS, dynamic_partitions_loader=instance)
    assert status is not None
    assert set(status.deserialize_failed_partition_subsets(PROMPTS).get_partition_keys()) == {"b"}


def test_the_events_of_a_range_arrive_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    batched = BatchedSqliteEventLog.store_event_batch
    monkeypatch.setattr(
        BatchedSqliteEventLog,
        "store_event_batch",
        lambda self, events: (sizes.append(len(events)), batched(self, events)),
    )

    _run(tmp_path / "ours", OURS, monkeypatch, bad="")

    # What is planned (two assets of four prompts, and a check), then the materializations of each asset.
    assert sizes == [9, 4, 4]


def test_dagsters_own_class_reads_what_ours_wrote_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    _run(home, OURS, monkeypatch)
    monkeypatch.delenv(BATCH_VARIABLE)

    instance = _run(home, "", monkeypatch, bad="")

    assert type(instance.event_log_storage) is not BatchedSqliteEventLog
    assert isinstance(instance.event_log_storage, SqliteEventLogStorage)
    assert instance.get_materialized_partitions(BEST) == set("abcd")
    assert len(instance.fetch_materializations(BEST, limit=100).records) == 7


def test_a_batch_size_that_is_set_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BATCH_VARIABLE, "7")

    _run(tmp_path / "ours", OURS, monkeypatch)

    assert os.environ[BATCH_VARIABLE] == "7"


def test_what_the_database_refuses_is_told_without_the_statement_and_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with _run(tmp_path, OURS, monkeypatch) as instance:
        (index,) = (tmp_path / "history" / "runs").glob("index.db")
        with sqlite3.connect(index) as database:
            database.execute("DROP TABLE event_logs")

        with pytest.raises(DBAPIError) as refused:
            range_job("").execute_in_process(instance=instance, tags=RANGE)

    assert "no such table" in str(refused.value)
    assert "INSERT" not in str(refused.value) + capsys.readouterr().err


def test_without_a_folder_and_without_a_home_it_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    with pytest.raises(SettingsError, match=r"base_dir, and DAGSTER_HOME is not set; give one of them"):
        BatchedSqliteEventLog.from_config_value(None, {})


def test_an_engine_is_kept_for_the_many_uses_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _engine.cache_clear()

    _run(tmp_path / "home", OURS, monkeypatch)

    of_both_files = _engine.cache_info()
    assert of_both_files.misses == 2
    assert of_both_files.hits > 50  # Dagster still opens its files where we expect it to: by `_connect`
