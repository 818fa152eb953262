"""Our storage in Postgres keeps what Dagster's own keeps, in the same tables, over few connections."""

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
from tests.distributed.services import ADDRESS, DAGSTERS_OWN, DEPLOYED, Services, with_driver

pytestmark = pytest.mark.distributed


@pytest.fixture(autouse=True)
def database(services: Services, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give every test a database of its own."""
    monkeypatch.setenv(BATCH_VARIABLE, "")  # so that what the storage sets is undone
    monkeypatch.delenv(BATCH_VARIABLE)
    name = "of_a_test"
    _do(services.postgres, f"CREATE DATABASE {name}")
    address = services.postgres.replace("/postgres", f"/{name}")
    monkeypatch.setenv(ADDRESS, with_driver(address))
    yield address
    _do(services.postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _do(address: str, statement: str, *values: str) -> list[Any]:
    connection = psycopg2.connect(address)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return rows


def _kept(database: str, run_id: str) -> dict[str, list[Any]]:
    """Return what the database holds of a run, without ids and times."""
    wanted = {
        "events": "SELECT dagster_event_type, asset_key, partition, step_key FROM event_logs WHERE run_id = %s",
        "tags": "SELECT t.asset_key, t.key, t.value, e.partition FROM asset_event_tags t JOIN event_logs e "
        "ON e.id = t.event_id WHERE t.key NOT LIKE '%%pointer%%' AND e.run_id = %s",
        "assets": "SELECT asset_key, last_run_id = %s FROM asset_keys",
        "checks": "SELECT check_name, execution_status FROM asset_check_executions WHERE run_id = %s",
    }
    return {name: sorted(_do(database, statement, run_id), key=str) for name, statement in wanted.items()}


def test_a_range_run_leaves_what_dagsters_own_storage_would_have(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with range_instance(tmp_path / "theirs", DAGSTERS_OWN, monkeypatch) as instance:
        assert type(instance.event_log_storage) is PostgresEventLogStorage
        theirs = _kept(database, run_range(instance, "b"))

    with range_instance(tmp_path / "ours", DEPLOYED, monkeypatch) as instance:
        assert isinstance(instance.event_log_storage, BatchedPostgresEventLog)
        ours = _kept(database, run_range(instance, "b"))

    assert ours == theirs
    assert Counter(row[0] for row in ours["events"])["ASSET_MATERIALIZATION_PLANNED"] == 8
    assert all(is_latest for _, is_latest in ours["assets"])


def test_dagsters_own_storage_reads_what_ours_wrote_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with range_instance(tmp_path / "home", DEPLOYED, monkeypatch) as instance:
        run_range(instance, "b")

    with range_instance(tmp_path / "home", DAGSTERS_OWN, monkeypatch) as instance:
        assert instance.get_materialized_partitions(BEST) == set("acd")
        run_range(instance, "")
        assert instance.get_materialized_partitions(BEST) == set("abcd")


def test_the_events_of_a_run_share_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    with range_instance(tmp_path / "home", DEPLOYED, monkeypatch) as instance:
        log = instance.event_log_storage
        assert isinstance(log, BatchedPostgresEventLog)
        event.listen(log._engine, "connect", lambda *_: made.append("one"))

        run = run_range(instance, "")

        events = len(instance.all_logs(run))
    assert len(made) <= 2 < events


def test_a_server_that_ended_the_connection_is_connected_anew(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with range_instance(tmp_path / "home", DEPLOYED, monkeypatch) as instance:
        run_range(instance, "b")
        _do(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

        run_range(instance, "")

        assert instance.get_materialized_partitions(BEST) == set("abcd")
