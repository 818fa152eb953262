"""The runs on record: found by what people call them, and set side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autosr_assets.runtime.graph_names import common_dataset
from autosr_lib.errors import SettingsError
from autosr_lib.results.comparison import Comparison, compare_results
from autosr_lib.results.run_results import read_manifests, read_run_results
from autosr_lib.storage.store import TableStore

Manifest = Mapping[str, Any]

_ASKED = (
    "search", "dataset", "dataset_sha256", "preset_rubrics_sha256", "structure", "settings", "dataset_settings", "backend",
    "method_version", "version", "git", "python", "packages",
)  # fmt: skip
_HELD_OUT_BY = ("dataset_sha256", "dataset_settings.holdout", "dataset_settings.reference")
_SHOWN = 3


@dataclass(frozen=True)
class RunDifference:
    """What differed between two runs, in what was asked and in what it came to."""

    first: Manifest
    second: Manifest
    asked: Mapping[str, tuple[Any, Any]]
    """By dotted name, what each was told; None where it was not."""
    results: Comparison
    is_paired: bool
    """Whether the same candidates were held out, by the same reference: only then are accuracies differences."""


def find_run(manifests: Sequence[Manifest], told: str) -> Manifest:
    """Return the run of an id, of the beginning of one, or of a search: its latest, with `~1` the one before.

    Raises:
        SettingsError: there is none, or several ids begin so.
    """
    name, _, back = told.partition("~")
    of_search = [one for one in manifests if one["search"] == name]
    if of_search and (not back or back.isdecimal()):
        if int(back or 0) < len(of_search):
            return of_search[int(back or 0)]
        raise SettingsError(
            f"run {told!r}: the search {name!r} has {len(of_search)} runs; allowed: up to ~{len(of_search) - 1}"
        )
    found = [one for one in manifests if one["run_id"].startswith(told)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one["run_id"][:8] for one in (found or manifests)[:_SHOWN])
    if found:
        raise SettingsError(f"run {told!r} begins the ids of {len(found)} runs: {known}; allowed: more of the id")
    searches = ", ".join(sorted({one["search"] for one in manifests}))
    allowed = f"an id such as {known}, or a search: {searches}" if manifests else "none yet: nothing has been exported"
    raise SettingsError(f"run {told!r} is not on record; allowed: {allowed}")


def two_runs(manifests: Sequence[Manifest], first: str | None, second: str | None) -> tuple[Manifest, Manifest]:
    """Return the two runs that are to be compared: by default the latest, and the one of its search before.

    Raises:
        SettingsError: one of them is not on record, or there is nothing to compare with.
    """
    if first is not None and second is not None:
        return find_run(manifests, first), find_run(manifests, second)
    if first is None:
        if not manifests:
            raise SettingsError("no run is on record yet; first: autosr search")
        return find_run(manifests, f"{manifests[0]['search']}~1"), manifests[0]
    one = find_run(manifests, first)
    latest = find_run(manifests, one["search"])
    return (find_run(manifests, f"{one['search']}~1"), one) if latest is one else (one, latest)


def difference(store: TableStore, first: Manifest, second: Manifest) -> RunDifference:
    """Return what differed between two runs."""
    ours, theirs = dict(_flat(first)), dict(_flat(second))
    names = [*ours, *(name for name in theirs if name not in ours)]
    asked = {name: (ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name)}
    results = compare_results(read_run_results(store, first["run_id"]), read_run_results(store, second["run_id"]))
    # Who judges matters only where somebody had to.
    judged = any(one["totals"]["judge_calls"] for one in (first, second))
    decisive = (*_HELD_OUT_BY, "backend.roles.judge") if judged else _HELD_OUT_BY
    is_paired = not any(name == part or name.startswith(f"{part}.") for name in asked for part in decisive)
    return RunDifference(first, second, asked, results, is_paired)


def all_manifests(store: TableStore, search: str | None = None) -> list[dict[str, Any]]:
    """Return the manifests on record, the latest first, of all searches or of one.

    Raises:
        SettingsError: the search has no run.
    """
    manifests = read_manifests(store)
    if search is None:
        return manifests
    if not (found := [one for one in manifests if one["search"] == search]):
        known = ", ".join(sorted({one["search"] for one in manifests})) or "none yet"
        raise SettingsError(f"name {search!r} has no run on record; there are {known}")
    return found


def latest_manifests(store: TableStore) -> list[dict[str, Any]]:
    """Return the manifest of each search's latest run."""
    known: dict[str, dict[str, Any]] = {}
    for one in read_manifests(store):
        known.setdefault(one["search"], one)
    return list(known.values())


def datasets_of(store: TableStore, searches: Sequence[str] | None = None) -> dict[str, str]:
    """Return the dataset of each of these searches, or of all that have a run on record.

    Raises:
        SettingsError: there is none on record, or one of those named is not.
    """
    known = {one["search"]: one["dataset_name"] for one in latest_manifests(store)}
    if not known:
        raise SettingsError("no run is on record yet; first: autosr search")
    if missing := [name for name in searches or () if name not in known]:
        raise SettingsError(f"search {missing[0]!r} has no run on record; there are {', '.join(sorted(known))}")
    return known if searches is None else {name: known[name] for name in searches}


def one_dataset_of(store: TableStore, searches: Sequence[str]) -> str:
    """Return the dataset that all of these searches are over.

    Raises:
        SettingsError: there is only one search, one of them has no run on record, or they are over different datasets.
    """
    return common_dataset(searches, datasets_of(store, searches))


def _flat(manifest: Manifest) -> Iterator[tuple[str, Any]]:
    def within(value: Any, name: str) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from within(inner, f"{name}.{key}")
        else:
            yield name, value

    for name in _ASKED:
        yield from within(manifest.get(name), name)
