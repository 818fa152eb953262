"""Full, read-only and missing disks and broken caches: one line reports the fault, and the next run continues without loss."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.llm.cache.sqlite import FILE_NAME
from tests.assets.commands import Home
from tests.assets.model_home import DEMO, SMALL, ModelHome, without_endpoint
from tests.llm.server import ModelServer

pytestmark = pytest.mark.slow
SEARCH = ("search", str(DEMO), *SMALL)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """Return the best rubrics of an undisturbed run, and the number of its requests."""
    with ModelServer() as server:
        home = ModelHome(tmp_path_factory.mktemp("undisturbed"), server.base_url)
        assert home.autosr(*SEARCH).code == 0
        return without_endpoint(home.best()), len(server.requests)


class Disk:
    """A small file system in memory, which a test can resize, make read-only and unmount."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs")

    def remount(self, options: str) -> None:
        self._mount("-o", f"remount,{options}")

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=False, capture_output=True)  # noqa: S603, S607

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, self.folder], check=False, capture_output=True, text=True)  # noqa: S603, S607
        if done.returncode:
            pytest.skip(f"mounting a file system needs root: {done.stderr.strip()}")


@pytest.fixture
def mount_disk() -> Iterator[Callable[[Path, str], Disk]]:
    """Yield a function that mounts a disk until the test ends."""
    with ExitStack() as stack:

        def mount(folder: Path, size: str = "64m") -> Disk:
            disk = Disk(folder, size)
            stack.callback(disk.unmount)
            return disk

        yield mount


def failed_search(home: Home) -> str:
    """Run a search that fails with exit code 2, and return its error, which is a single line without a traceback."""
    result = home.autosr(*SEARCH)
    assert result.code == 2, result.err
    assert "Traceback" not in result.err
    line = result.err.splitlines()[-1]
    assert line.startswith(f"autosr: {home.root}")
    return line


def test_a_full_storage_root_is_reported_and_with_more_space_the_search_continues(
    undisturbed: tuple[dict[str, Any], int], mount_disk: Callable[..., Disk], tmp_path: Path
) -> None:
    full = mount_disk(tmp_path / "storage", "150k")
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        line = failed_search(home)
        unfinished = list(full.folder.rglob("*.tmp"))
        full.remount("size=64m")
        continued = home.autosr(*SEARCH)

        assert line.endswith("cannot write: No space left on device")
        assert unfinished == []
        assert continued.code == 0, continued.err
        assert (without_endpoint(home.best()), len(server.requests)) == undisturbed


def test_a_full_disk_under_dagster_and_the_cache_is_reported(
    undisturbed: tuple[dict[str, Any], int], mount_disk: Callable[..., Disk], tmp_path: Path
) -> None:
    full = mount_disk(tmp_path / "home")
    with ModelServer() as server:
        home = ModelHome(tmp_path / "home", server.base_url)
        home.autosr("validate", str(DEMO))
        full.remount("size=700k")

        line = failed_search(home)
        full.remount("size=64m")
        continued = home.autosr(*SEARCH)

        assert "Dagster's database cannot be used" in line
        assert continued.code == 0, continued.err
        assert without_endpoint(home.best()) == undisturbed[0]


@pytest.mark.parametrize("folder", ["storage", "dagster"])
def test_a_read_only_disk_is_reported_before_any_request(
    folder: str, mount_disk: Callable[..., Disk], tmp_path: Path
) -> None:
    read_only = mount_disk(tmp_path / folder)
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)
        read_only.remount("ro")
        (tmp_path / "dagster").mkdir(exist_ok=True)

        line = failed_search(home)

        assert str(read_only.folder) in line
        assert not server.requests


@pytest.mark.parametrize("fault", ["unmounted", "removed", "replaced by a file"])
def test_a_storage_root_that_disappears_is_reported_and_no_request_is_repeated(
    fault: str, undisturbed: tuple[dict[str, Any], int], mount_disk: Callable[..., Disk], tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    if fault == "unmounted":
        disk = mount_disk(storage)

    def remove_storage(number: int, body: dict[str, Any]) -> None:
        if number != 120:  # in the first generation
            return
        if fault == "unmounted":
            disk.unmount()
        elif fault == "removed":
            storage.rename(tmp_path / "removed")
        else:
            replace_by_file(storage)

    with ModelServer(faults=remove_storage) as server:
        home = ModelHome(tmp_path, server.base_url)

        failed_search(home)
        if fault == "replaced by a file":
            storage.unlink()
        continued = home.autosr(*SEARCH)

        assert continued.code == 0, continued.err
        assert (without_endpoint(home.best()), len(server.requests)) == undisturbed


def replace_by_file(storage: Path) -> None:
    """Replace a folder by a file while the run keeps creating files and folders in it."""
    for number in count():
        with suppress(FileNotFoundError):
            storage.rename(storage.with_name(f"removed-{number}"))
        with suppress(IsADirectoryError):
            storage.write_text("a file instead of a folder")
            return


def corrupt(file: Path) -> None:
    """Replace a database by bytes that are not a database."""
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.write_bytes(b"this is not a database" * 500)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on a database."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("fault", ["locked", "corrupt", "a folder"])
def test_an_unusable_cache_causes_a_warning_and_changes_no_result(
    fault: str, undisturbed: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    with ModelServer() as server, ExitStack() as stack:
        home = ModelHome(tmp_path, server.base_url)
        if fault == "locked":
            stack.enter_context(locked(cache / FILE_NAME))
        elif fault == "corrupt":
            corrupt(cache / FILE_NAME)
        else:
            (cache / FILE_NAME).mkdir()

        result = home.autosr(*SEARCH)

        assert result.code == 0, result.err
        warnings = [line for line in result.err.splitlines() if line.startswith("autosr: warning: reply cache")]
        assert warnings
        assert str(cache / FILE_NAME) in warnings[0]
        assert without_endpoint(home.best()) == undisturbed[0]
        if fault == "corrupt":
            assert len(list(cache.glob(f"{FILE_NAME}.broken-*"))) == 1
