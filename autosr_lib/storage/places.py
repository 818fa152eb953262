"""Files in a folder or a bucket: written whole or not at all, and every fault told with its place.

A place is a `UPath`. Beside the system's own, object stores have errors of many families; a reader of a message wants
to know which place, what could not be done, and why.
"""

import filecmp
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from autosr_lib.errors import StorageError

_DRIVERS = frozenset({"aiobotocore", "aiohttp", "boto3", "botocore", "fsspec", "s3fs"})
"""Packages whose errors are the storage's: no credentials, nobody there, no such bucket."""


def place(root: str | os.PathLike[str] | UPath) -> UPath:
    """Return the place that a path or an address names.

    Listings of a bucket are not kept: other machines write to it as well.
    """
    here = UPath(root)
    return here if isinstance(here, Path) else UPath(root, use_listings_cache=False)


@contextmanager
def naming(where: object, verb: str) -> Iterator[None]:
    """Say where it happened, in place of the many ways in which file systems and Arrow do not.

    Raises:
        StorageError: `where` cannot be read, written or whatever the verb says.
    """
    try:
        yield
    except Exception as error:
        if not is_fault_of_storage(error):
            raise
        raise StorageError(f"{where}: cannot {verb}: {_reason(error)}") from error


def is_fault_of_storage(error: BaseException) -> bool:
    """Return whether an error comes from a file system, a bucket, or from Arrow's reading of a file."""
    if isinstance(error, OSError | pa.ArrowException | ImportError):  # ImportError: the driver of s3:// is missing
        return True
    return any(kind.__module__.partition(".")[0] in _DRIVERS for kind in type(error).__mro__)


@contextmanager
def written_whole(target: UPath, *, if_changed: bool = False) -> Iterator[Path]:
    """Give the path of a local file to write, and put it in the target's place if all goes well.

    A reader sees the file of before or the whole new one, never a part; after a fault that of before is untouched. With
    `if_changed` so is a file of a folder that holds the same.
    """
    if not isinstance(target, Path):
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "file"
            yield local
            target.fs.put_file(str(local), target.path)  # an object store puts an object whole, and knows no rename
        return
    goal = Path(target)
    goal.parent.mkdir(parents=True, exist_ok=True)
    # Beside its target, for a rename is atomic only within a file system; its name belongs to no partition.
    temporary = goal.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        yield temporary
        if if_changed and goal.exists() and filecmp.cmp(temporary, goal, shallow=False):
            temporary.unlink()
            return
        _sync(temporary, os.O_RDWR)
        temporary.replace(goal)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _sync(goal.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    """Wait until the file, or the folder's list of files, is on the disk."""
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _reason(error: Any) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split())[:300] or type(error).__name__
