"""Atomic writes and uniform errors for files in a folder or in an object store.

Paths are `UPath`s. Object stores raise errors of many unrelated families; here each becomes a `StorageError` that says
which path is concerned, which operation failed and why.
"""

import filecmp
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from upath import UPath

from autosr_lib.errors import StorageError

_DRIVERS = frozenset({"aiobotocore", "aiohttp", "boto3", "botocore", "fsspec", "s3fs"})
"""Packages whose exceptions are storage errors: missing credentials, an unreachable host, an unknown bucket."""
_LONGEST_REASON = 300
"""Characters of a driver's message that our message repeats."""


def storage_path(path: str | os.PathLike[str] | UPath) -> UPath:
    """Return the `UPath` of a local path or an address such as `s3://bucket/folder`.

    Listings of object stores are not cached, because other machines write to them as well.

    >>> storage_path("memory://exports/demo.json").name
    'demo.json'
    """
    resolved = UPath(path)
    return resolved if isinstance(resolved, Path) else UPath(path, use_listings_cache=False)


@contextmanager
def storage_errors(path: object, verb: str) -> Iterator[None]:
    """Turn the errors of file systems, object stores and Arrow inside the block into a `StorageError`.

    Args:
        path: The file or folder that the message names.
        verb: What the block does: "read", "write" or "list".

    Raises:
        StorageError: The block failed with a storage error; other exceptions pass unchanged.

    >>> with storage_errors("a.parquet", "read"):
    ...     raise FileNotFoundError("gone")
    Traceback (most recent call last):
    autosr_lib.errors.StorageError: a.parquet: cannot read: gone
    """
    try:
        yield
    except Exception as error:
        if not is_storage_error(error):
            raise
        raise StorageError(f"{path}: cannot {verb}: {_reason(error)}") from error


def is_storage_error(error: BaseException) -> bool:
    """Return whether an error comes from a file system, an object store, or Arrow reading a file.

    >>> is_storage_error(PermissionError()), is_storage_error(ZeroDivisionError())
    (True, False)
    """
    if isinstance(error, OSError | pa.ArrowException | ImportError):  # ImportError: the driver of s3:// is missing
        return True
    return any(base.__module__.partition(".")[0] in _DRIVERS for base in type(error).__mro__)


@contextmanager
def atomic_write(target: UPath, *, if_changed: bool = False) -> Iterator[Path]:
    """Yield a temporary local file to write; when the block succeeds, the file replaces `target`.

    Readers see either the old file or the complete new one. If the block fails, the old file stays untouched. With
    `if_changed`, a local file with the same bytes also stays untouched and keeps its modification time.
    """
    if not isinstance(target, Path):
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "file"
            yield local
            target.fs.put_file(str(local), target.path)  # object stores replace objects atomically and cannot rename
        return
    destination = Path(target)
    destination.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is atomic only within one file system. The suffix is never listed as a table.
    temporary = destination.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        yield temporary
        if if_changed and destination.exists() and filecmp.cmp(temporary, destination, shallow=False):
            temporary.unlink()
            return
        _sync(temporary, os.O_RDWR)
        temporary.replace(destination)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # other systems cannot open a folder
        _sync(destination.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    """Return the message of an error on one line of bounded length."""
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(message.split())[:_LONGEST_REASON] or type(error).__name__
