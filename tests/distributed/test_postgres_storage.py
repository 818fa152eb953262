"""Our Postgres storage writes the same rows into the same tables as Dagster's, over few connections."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import event

from autosr_assets.dagster_internals.event_batches import BATCH_VARIABLE
from autosr_assets.dagster_internals.postgres_storage import BatchedPostgresEventLog
from tests.assets.range_job import BEST, range_instance, run_range
from tests.distributed.services import DAGSTER_STORAGE, OUR_STORAGE, POSTGRES_VARIABLE, Services, with_driver

pytestmark = pytest.mark.distributed


@pytest.fixture(autouse=True)
def database(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Create a database for the test, and return its address."""
    monkeypatch.setenv(BATCH_VARIABLE, "")  # registers the variable, so that monkeypatch undoes what the storage sets
    monkeypatch.delenv(BATCH_VARIABLE)
    name = "test"
    _execute(services.postgres, f"CREATE DATABASE {name}")
    address = services.postgres.replace("/postgres", f"/{name}")
    monkeypatch.setenv(POSTGRES_VARIABLE, with_driver(address))
    yield address
    _execute(services.postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(address: str, statement: str, *values: str) -> list[Any]:
    connection = psycopg2.connect(address)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return rows


def _rows_of_run(database: str, run_id: str) -> dict[str, list[Any]]:
    """Return the rows of a run in the database, without ids and times."""
    queries = {
        "events": "SELECT dagster_event_type, asset_key, partition, step_key FROM event_logs WHERE run_id = %s",
        "tags": "SELECT t.asset_key, t.key, t.value, e.partition FROM asset_event_tags t JOIN event_logs e "
        "ON e.id = t.event_id WHERE t.key NOT LIKE '%%pointer%%' AND e.run_id = %s",
        "assets": "SELECT asset_key, last_run_id = %s FROM asset_keys",
        "checks": "SELECT check_name, execution_status FROM asset_check_executions WHERE run_id = %s",
    }
    return {name: sorted(_execute(database, statement, run_id), key=str) for name, statement in queries.items()}


def test_a_range_run_stores_the_same_rows_as_dagsters_storage(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with range_instance(tmp_path / "dagster", DAGSTER_STORAGE, monkeypatch) as instance:
        assert type(instance.event_log_storage) is PostgresEventLogStorage
        expected = _rows_of_run(database, run_range(instance, "b"))

    with range_instance(tmp_path / "ours", OUR_STORAGE, monkeypatch) as instance:
        assert isinstance(instance.event_log_storage, BatchedPostgresEventLog)
        ours = _rows_of_run(database, run_range(instance, "b"))

    assert ours == expected
    assert Counter(row[0] for row in ours["events"])["ASSET_MATERIALIZATION_PLANNED"] == 8
    assert all(is_latest for _, is_latest in ours["assets"])


def test_dagsters_storage_reads_our_tables_and_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with range_instance(tmp_path / "home", OUR_STORAGE, monkeypatch) as instance:
        run_range(instance, "b")

    with range_instance(tmp_path / "home", DAGSTER_STORAGE, monkeypatch) as instance:
        assert instance.get_materialized_partitions(BEST) == set("acd")
        run_range(instance, "")
        assert instance.get_materialized_partitions(BEST) == set("abcd")


def test_the_events_of_a_run_share_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    with range_instance(tmp_path / "home", OUR_STORAGE, monkeypatch) as instance:
        log = instance.event_log_storage
        assert isinstance(log, BatchedPostgresEventLog)
        event.listen(log._engine, "connect", lambda *_: made.append("connection"))

        run = run_range(instance, "")

        events = len(instance.all_logs(run))
    assert len(made) <= 2 < events


def test_a_connection_that_the_server_closed_is_opened_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with range_instance(tmp_path / "home", OUR_STORAGE, monkeypatch) as instance:
        run_range(instance, "b")
        _execute(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

        run_range(instance, "")

        assert instance.get_materialized_partitions(BEST) == set("abcd")
