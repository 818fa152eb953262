"""Disks that are full, read-only or gone, and a broken cache: one line says so, nothing is lost, the next run goes on."""

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
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """Return the best rubrics of an undisturbed run, and how many requests it took."""
    with ModelServer() as server:
        home = ModelHome(tmp_path_factory.mktemp("calm"), server.base_url)
        assert home.autosr(*SEARCH).code == 0
        return without_endpoint(home.best()), len(server.requests)


class Disk:
    """A small file system in memory, to be filled, made read-only and taken away."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs")

    def becomes(self, options: str) -> None:
        self._mount("-o", f"remount,{options}")

    def leaves(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=False, capture_output=True)  # noqa: S603, S607

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, self.folder], check=False, capture_output=True, text=True)  # noqa: S603, S607
        if done.returncode:
            pytest.skip(f"no file system can be mounted here, which takes root: {done.stderr.strip()}")


@pytest.fixture
def disk() -> Iterator[Callable[[Path, str], Disk]]:
    """Mount disks that are gone after the test."""
    with ExitStack() as stack:

        def mounted(folder: Path, size: str = "64m") -> Disk:
            made = Disk(folder, size)
            stack.callback(made.leaves)
            return made

        yield mounted


def last_line(home: Home) -> str:
    """Return the error of a search that cannot go on, after seeing that it is one line, with the caller's exit code."""
    said = home.autosr(*SEARCH)
    assert said.code == 2, said.err
    assert "Traceback" not in said.err
    line = said.err.splitlines()[-1]
    assert line.startswith(f"autosr: {home.root}")
    return line


def test_a_full_storage_root_is_told_in_a_line_and_with_room_the_search_goes_on(
    calm: tuple[dict[str, Any], int], disk: Callable[..., Disk], tmp_path: Path
) -> None:
    full = disk(tmp_path / "storage", "150k")
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)

        line = last_line(home)
        litter = list(full.folder.rglob("*.tmp"))
        full.becomes("size=64m")
        later = home.autosr(*SEARCH)

        assert line.endswith("cannot write: No space left on device")
        assert litter == []
        assert later.code == 0, later.err
        assert (without_endpoint(home.best()), len(server.requests)) == calm


def test_a_disk_that_is_full_for_dagster_and_the_cache_too_is_told_in_a_line(
    calm: tuple[dict[str, Any], int], disk: Callable[..., Disk], tmp_path: Path
) -> None:
    full = disk(tmp_path / "home")
    with ModelServer() as server:
        home = ModelHome(tmp_path / "home", server.base_url)
        home.autosr("validate", str(DEMO))
        full.becomes("size=700k")

        line = last_line(home)
        full.becomes("size=64m")
        later = home.autosr(*SEARCH)

        assert "Dagster's database cannot be used" in line
        assert later.code == 0, later.err
        assert without_endpoint(home.best()) == calm[0]


@pytest.mark.parametrize("which", ["storage", "dagster"])
def test_what_is_read_only_is_told_in_a_line_before_anything_is_asked(
    which: str, disk: Callable[..., Disk], tmp_path: Path
) -> None:
    read_only = disk(tmp_path / which)
    with ModelServer() as server:
        home = ModelHome(tmp_path, server.base_url)
        read_only.becomes("ro")
        (tmp_path / "dagster").mkdir(exist_ok=True)

        line = last_line(home)

        assert str(read_only.folder) in line
        assert not server.requests


@pytest.mark.parametrize("how", ["unmounted", "removed", "replaced by a file"])
def test_a_storage_root_that_goes_away_is_told_in_a_line_and_no_reply_is_paid_twice(
    how: str, calm: tuple[dict[str, Any], int], disk: Callable[..., Disk], tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    if how == "unmounted":
        mounted = disk(storage)

    def goes_away(number: int, body: dict[str, Any]) -> None:
        if number != 120:  # in the first generation
            return
        if how == "unmounted":
            mounted.leaves()
        elif how == "removed":
            storage.rename(tmp_path / "removed")
        else:
            put_in_the_way(storage)

    with ModelServer(faults=goes_away) as server:
        home = ModelHome(tmp_path, server.base_url)

        last_line(home)
        if how == "replaced by a file":
            storage.unlink()
        later = home.autosr(*SEARCH)

        assert later.code == 0, later.err
        assert (without_endpoint(home.best()), len(server.requests)) == calm


def put_in_the_way(storage: Path) -> None:
    """Put a file in the place of a folder, in which the run goes on to make files and folders."""
    for number in count():
        with suppress(FileNotFoundError):
            storage.rename(storage.with_name(f"removed-{number}"))
        with suppress(IsADirectoryError):
            storage.write_text("in the way")
            return


def broken(file: Path) -> None:
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.write_bytes(b"this is no database" * 500)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


@pytest.mark.parametrize("fault", ["locked", "corrupt", "a folder"])
def test_a_cache_that_cannot_be_used_costs_a_warning_and_nothing_else(
    fault: str, calm: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    with ModelServer() as server, ExitStack() as stack:
        home = ModelHome(tmp_path, server.base_url)
        if fault == "locked":
            stack.enter_context(locked(cache / FILE_NAME))
        elif fault == "corrupt":
            broken(cache / FILE_NAME)
        else:
            (cache / FILE_NAME).mkdir()

        said = home.autosr(*SEARCH)

        assert said.code == 0, said.err
        warnings = [line for line in said.err.splitlines() if line.startswith("autosr: warning: reply cache")]
        assert warnings
        assert str(cache / FILE_NAME) in warnings[0]
        assert without_endpoint(home.best()) == calm[0]
        if fault == "corrupt":
            assert len(list(cache.glob(f"{FILE_NAME}.broken-*"))) == 1
