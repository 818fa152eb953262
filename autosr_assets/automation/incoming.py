"""Files that are dropped for a dataset: taken in when they are good, set aside with their faults when they are not."""

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

Stamp = tuple[int, float]
"""Size of a file and when it was last changed."""


@dataclass(frozen=True)
class Inbox:
    """The folder where files of a dataset are dropped, as `<dataset>.<suffix>`, and where they go from there."""

    dataset: str
    folder: UPath

    @classmethod
    def of(cls, dataset: str, folder: str | None) -> "Inbox":
        """Return the inbox of a dataset; a relative folder lies in the data folder."""
        named = storage_path(folder or "incoming")
        is_relative = isinstance(named, Path) and not named.is_absolute()
        return cls(dataset, data_home() / str(named) if is_relative else named)

    def waiting(self) -> list[UPath]:
        """Return the files that were dropped for the dataset, the one to be taken in last at the end."""
        return self._files(self.folder)

    def accepted(self) -> UPath | None:
        """Return the file that was taken in last; it is the dataset from then on."""
        return next(reversed(self._files(self._beside("datasets"))), None)

    def strangers(self, datasets: frozenset[str]) -> list[str]:
        """Return the names of the files that belong to none of `datasets`; they are left alone."""
        names = (place.name for place in _listed(self.folder) if not place.name.startswith("."))
        return sorted(name for name in names if not any(_is_file_of(one, name) for one in datasets))

    def take_in(self, file: UPath, *, skip_invalid: bool, min_candidates: int = MIN_CANDIDATES) -> str | None:
        """Move a file that was dropped to `datasets/`, or to `rejected/` with its faults beside it; return those.

        A file that has changed since it was read is left for the next look.
        """
        before = stamp_of(file)
        fault = None
        try:
            for _ in DatasetReader(file, skip_invalid=skip_invalid, min_candidates=min_candidates):
                pass
        except DatasetError as error:
            fault = "\n".join([f"{file.name} was not taken in as the dataset {self.dataset}:", *error.faults, ""])
        if stamp_of(file) != before:
            return None
        if fault is None:
            earlier = self._files(self._beside("datasets"))
            _move(file, kept := self._beside("datasets") / file.name)
            for other in earlier:
                if other.name != kept.name:
                    other.unlink(missing_ok=True)
            return None
        _move(file, rejected := self._beside("rejected") / file.name)
        rejected.with_name(f"{file.name}.error.txt").write_text(fault, encoding="utf-8")
        return fault

    def _beside(self, name: str) -> UPath:
        return self.folder.parent / name

    def _files(self, folder: UPath) -> list[UPath]:
        """Return the files of the dataset in a folder, the newest last."""
        return sorted((place for place in _listed(folder) if _is_file_of(self.dataset, place.name)), key=_age)


def stamp_of(file: UPath) -> Stamp | None:
    """Return what changes while a file is written, or None when it is gone."""
    try:
        known = file.stat()
    except FileNotFoundError:
        return None
    return known.st_size, known.st_mtime


def _age(file: UPath) -> tuple[float, str]:
    stamp = stamp_of(file)
    return (stamp[1] if stamp else 0.0), file.name


def _is_file_of(dataset: str, name: str) -> bool:
    stem, dot, suffix = name.rpartition(".")
    return stem == dataset and f"{dot}{suffix}".lower() in DATASET_SUFFIXES


def _listed(folder: UPath) -> list[UPath]:
    with storage_errors(folder, "list"):
        try:
            return [file for file in folder.iterdir() if file.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []


def _move(source: UPath, target: UPath) -> None:
    """Move a file into the place of what is there; on one disk, nobody sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, Path):
        shutil.move(str(source), str(target))
    else:
        source.fs.mv(source.path, target.path)
