"""Runs Dagster's own tests of event logs, as its source distribution holds them, on ours.

`make test-event-log`: no test of this project, since it downloads Dagster's sources and takes minutes.
"""

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

SUITE = """\
import os
import tempfile

import dagster as dg
import pytest
from autosr_assets.event_log import BatchedSqliteEventLog
from dagster_tests.storage_tests import test_event_log as theirs


class TestOurs(theirs.TestSqliteEventLogStorage):
    __test__ = True

    @pytest.fixture(name="instance", scope="function")
    def instance(self):
        storage = {"module": "autosr_assets.event_log", "class": "BatchedSqliteEventLog"}
        with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:
            config = {"event_log_storage": {**storage, "config": {"base_dir": folder}}}
            with dg.instance_for_test(temp_dir=folder, overrides=config) as instance:
                assert isinstance(instance.event_log_storage, BatchedSqliteEventLog)
                yield instance
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
        sys.exit(subprocess.run([*pytest, *sys.argv[1:], "test_ours.py"], cwd=folder, check=False).returncode)  # noqa: S603


if __name__ == "__main__":
    main()
