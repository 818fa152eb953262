"""New files of a dataset: valid files are accepted as the dataset, invalid ones are moved aside with their faults."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from autosr_assets.runtime.home import data_home
from autosr_lib.errors import DatasetError
from autosr_lib.evaluation.responses import MIN_CANDIDATES
from autosr_lib.storage.dataset_formats import DATASET_SUFFIXES
from autosr_lib.storage.datasets import DatasetReader
from autosr_lib.storage.files import storage_errors, storage_path

FileStamp = tuple[int, float]
"""Size of a file and time of its last change."""


@dataclass(frozen=True)
class Inbox:
    """The folder in which files of a dataset are dropped, named `<dataset>.<suffix>`."""

    dataset: str
    folder: UPath
    """Accepted files are moved to the folder `datasets` beside it, rejected ones to `rejected`."""

    @classmethod
    def of(cls, dataset: str, folder: str | None) -> "Inbox":
        """Return the inbox of a dataset; a relative `folder` (by default `incoming`) is relative to the data home."""
        path = storage_path(folder or "incoming")
        is_relative = isinstance(path, Path) and not path.is_absolute()
        return cls(dataset, data_home() / str(path) if is_relative else path)

    def new_files(self) -> list[UPath]:
        """Return the dropped files of the dataset, the newest last."""
        return self._dataset_files(self.folder)

    def accepted(self) -> UPath | None:
        """Return the file that was accepted last, or None; it is the current file of the dataset."""
        return next(reversed(self._dataset_files(self._accepted_folder)), None)

    def unmatched_files(self, datasets: frozenset[str]) -> list[str]:
        """Return the names of the files that belong to none of these datasets; hidden files are ignored."""
        names = (file.name for file in _files_in(self.folder) if not file.name.startswith("."))
        return sorted(name for name in names if not any(_is_file_of(dataset, name) for dataset in datasets))

    def accept_or_reject(self, file: UPath, *, skip_invalid: bool, min_candidates: int = MIN_CANDIDATES) -> str | None:
        """Validate a dropped file and move it; return its faults, or None if it has none.

        A valid file replaces the accepted one. The faults of an invalid file are written beside it. A file that changes
        while it is read stays in place for the next evaluation.
        """
        before = stamp_of(file)
        faults = None
        try:
            for _ in DatasetReader(file, skip_invalid=skip_invalid, min_candidates=min_candidates):
                pass
        except DatasetError as error:
            faults = "\n".join([f"{file.name} is not a valid file of the dataset {self.dataset}:", *error.faults, ""])
        if stamp_of(file) != before:
            return None
        if faults is None:
            self._accept(file)
        else:
            self._reject(file, faults)
        return faults

    def _accept(self, file: UPath) -> None:
        earlier_files = self._dataset_files(self._accepted_folder)
        _move(file, self._accepted_folder / file.name)
        for earlier in earlier_files:
            if earlier.name != file.name:
                earlier.unlink(missing_ok=True)

    def _reject(self, file: UPath, faults: str) -> None:
        rejected = self.folder.parent / "rejected" / file.name
        _move(file, rejected)
        rejected.with_name(f"{file.name}.error.txt").write_text(faults, encoding="utf-8")

    @property
    def _accepted_folder(self) -> UPath:
        return self.folder.parent / "datasets"

    def _dataset_files(self, folder: UPath) -> list[UPath]:
        """Return the files of the dataset in a folder, the newest last."""
        return sorted((file for file in _files_in(folder) if _is_file_of(self.dataset, file.name)), key=_age)


def stamp_of(file: UPath) -> FileStamp | None:
    """Return the size and modification time of a file, or None if it does not exist."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_size, status.st_mtime


def _age(file: UPath) -> tuple[float, str]:
    stamp = stamp_of(file)
    return (stamp[1] if stamp else 0.0), file.name


def _is_file_of(dataset: str, name: str) -> bool:
    stem, dot, suffix = name.rpartition(".")
    return stem == dataset and f"{dot}{suffix}".lower() in DATASET_SUFFIXES


def _files_in(folder: UPath) -> list[UPath]:
    with storage_errors(folder, "list"):
        try:
            return [file for file in folder.iterdir() if file.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []


def _move(source: UPath, target: UPath) -> None:
    """Move a file, replacing the target; on one disk the move is atomic."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, Path):
        shutil.move(str(source), str(target))
    else:
        source.fs.mv(source.path, target.path)
