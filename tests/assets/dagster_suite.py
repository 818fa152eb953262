"""Runs Dagster's own tests of event logs, as its source distribution holds them, on ours.

`make test-event-log`: no test of this project, since it downloads Dagster's sources and takes minutes. Ours for Postgres
is skipped where there is no Postgres.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE = """\
import os
import tempfile

import dagster as dg
import pytest
from autosr_assets.dagster_internals.event_log import BatchedSqliteEventLog
from autosr_assets.dagster_internals.postgres_storage import BatchedPostgresEventLog
from dagster_tests.storage_tests import test_event_log as theirs
from dagster_tests.storage_tests.utils.event_log_storage import TestEventLogStorage as TheirsOfAny
from tests.distributed.services import postgres, with_driver


class TestSqlite(theirs.TestSqliteEventLogStorage):
    __test__ = True

    @pytest.fixture(name="instance", scope="function")
    def instance(self):
        storage = {"module": "autosr_assets.event_log", "class": "BatchedSqliteEventLog"}
        with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:
            config = {"event_log_storage": {**storage, "config": {"base_dir": folder}}}
            with dg.instance_for_test(temp_dir=folder, overrides=config) as instance:
                assert isinstance(instance.event_log_storage, BatchedSqliteEventLog)
                yield instance


class TestPostgres(TheirsOfAny):
    __test__ = True

    @pytest.fixture(scope="session")
    def address(self, tmp_path_factory):
        with postgres(tmp_path_factory.mktemp("services") / "postgres") as address:
            yield with_driver(address)

    @pytest.fixture(name="instance", scope="function")
    def instance(self, address):
        BatchedPostgresEventLog.create_clean_storage(address)
        storage = {"module": "autosr_assets.postgres_storage", "class": "BatchedPostgresStorage"}
        config = {"storage": {"custom": {**storage, "config": {"postgres_url": address}}}}
        with dg.instance_for_test(overrides=config) as instance:
            yield instance

    @pytest.fixture(name="storage", scope="function")
    def event_log_storage(self, instance):
        assert isinstance(instance.event_log_storage, BatchedPostgresEventLog)
        yield instance.event_log_storage

    def can_wipe_asset_partitions(self):
        return False


del TheirsOfAny
"""


def main() -> None:
    """Download Dagster's sources, and end as its tests of event logs do."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = f"dagster=={version('dagster')}"
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--no-binary", "dagster"]
        subprocess.run([*pip, "--dest", name, wanted], check=True)  # noqa: S603 - pip of this interpreter
        with tarfile.open(next(folder.glob("dagster-*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        next(folder.glob("dagster-*/dagster_tests")).rename(folder / "dagster_tests")
        # A package of Dagster's that is not published; the tests of event logs import it, and do not use it.
        (folder / "dagster_test" / "utils").mkdir(parents=True)
        (folder / "dagster_test" / "utils" / "data_factory.py").write_text("dagster_run = None\n")
        (folder / "test_ours.py").write_text(SUITE)
        pytest = [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", "--timeout", "600"]
        ran = subprocess.run(  # noqa: S603
            [*pytest, *sys.argv[1:], "test_ours.py"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        sys.exit(ran.returncode)


if __name__ == "__main__":
    main()
