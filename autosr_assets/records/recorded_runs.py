"""Selects recorded runs by id or by search, and compares two of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autosr_assets.runtime.graph_names import common_dataset
from autosr_lib.domain.wording import plural
from autosr_lib.errors import SettingsError
from autosr_lib.results.comparison import Comparison, compare_results
from autosr_lib.results.run_results import Manifest, read_manifests, read_run_results
from autosr_lib.storage.store import TableStore

_COMPARED_FIELDS = (
    "search", "dataset", "dataset_sha256", "preset_rubrics_sha256", "structure", "settings", "dataset_settings", "backend",
    "method_version", "version", "git", "python", "packages",
)  # fmt: skip
"""Fields of a manifest that can explain different results."""
_HOLDOUT_FIELDS = ("dataset_sha256", "dataset_settings.holdout", "dataset_settings.reference")
"""Fields that decide which pairs are held out and how they are ordered."""
_MOST_NAMED = 3
"""Largest number of run ids in a message."""


@dataclass(frozen=True)
class RunDifference:
    """What differs between two runs: their settings and their results."""

    first: Manifest
    second: Manifest
    settings: Mapping[str, tuple[Any, Any]]
    """By dotted name, the values of the first and the second run; None where a run does not have it."""
    results: Comparison
    is_paired: bool
    """Whether both held out the same candidates and used the same reference, so that accuracies are comparable."""


def find_run(manifests: Sequence[Manifest], name: str) -> Manifest:
    """Return the run with this id or beginning of an id, or the latest run of a search.

    Args:
        manifests: manifests of all runs, the latest first.
        name: id, beginning of an id, name of a search, or `SEARCH~N` for the N-th run before the latest.

    Raises:
        SettingsError: no run matches, or several ids begin with the name.

    >>> find_run([{"run_id": "4f2a", "search": "demo"}, {"run_id": "9c01", "search": "demo"}], "demo~1")["run_id"]
    '9c01'
    """
    search, _, offset = name.partition("~")
    runs = [manifest for manifest in manifests if manifest["search"] == search]
    if runs and (not offset or offset.isdecimal()):
        if int(offset or 0) < len(runs):
            return runs[int(offset or 0)]
        raise SettingsError(
            f"run {name!r}: the search {search!r} has {plural(len(runs), 'run')}; allowed: up to ~{len(runs) - 1}"
        )
    matching = [manifest for manifest in manifests if manifest["run_id"].startswith(name)]
    if len(matching) == 1:
        return matching[0]
    ids = ", ".join(manifest["run_id"][:8] for manifest in (matching or manifests)[:_MOST_NAMED])
    if matching:
        raise SettingsError(f"run {name!r} begins the ids of {len(matching)} runs: {ids}; allowed: more of the id")
    searches = ", ".join(sorted({manifest["search"] for manifest in manifests}))
    allowed = f"an id such as {ids}, or a search: {searches}" if manifests else "none yet: nothing has been exported"
    raise SettingsError(f"run {name!r} is not on record; allowed: {allowed}")


def runs_to_compare(manifests: Sequence[Manifest], first: str | None, second: str | None) -> tuple[Manifest, Manifest]:
    """Return the two runs to compare, the older first unless both are named.

    By default they are the latest run and the previous run of its search. If only `first` is named, it is compared with the
    latest run of its search, or with the previous one if it is the latest itself.

    Raises:
        SettingsError: a run is not on record, or there is no second run.
    """
    if first is not None and second is not None:
        return find_run(manifests, first), find_run(manifests, second)
    if first is None:
        if not manifests:
            raise SettingsError("no run is on record yet; first run autosr search")
        return find_run(manifests, f"{manifests[0]['search']}~1"), manifests[0]
    run = find_run(manifests, first)
    latest = find_run(manifests, run["search"])
    return (find_run(manifests, f"{run['search']}~1"), run) if latest is run else (run, latest)


def compare_runs(store: TableStore, first: Manifest, second: Manifest) -> RunDifference:
    """Return what differs between two runs."""
    in_first, in_second = dict(_flat_fields(first)), dict(_flat_fields(second))
    names = [*in_first, *(name for name in in_second if name not in in_first)]
    settings = {
        name: (in_first.get(name), in_second.get(name)) for name in names if in_first.get(name) != in_second.get(name)
    }
    results = compare_results(read_run_results(store, first["run_id"]), read_run_results(store, second["run_id"]))
    # Without calls of the judge, the order of pairs comes from labels, and the judge's identity has no influence.
    is_judged = any(manifest["totals"]["judge_calls"] for manifest in (first, second))
    pair_fields = (*_HOLDOUT_FIELDS, "backend.roles.judge") if is_judged else _HOLDOUT_FIELDS
    is_paired = not any(name == field or name.startswith(f"{field}.") for name in settings for field in pair_fields)
    return RunDifference(first, second, settings, results, is_paired)


def all_manifests(store: TableStore, search: str | None = None) -> list[dict[str, Any]]:
    """Return the manifests of all runs, or of the runs of one search, the latest first.

    Raises:
        SettingsError: the search has no run on record.
    """
    manifests = read_manifests(store)
    if search is None:
        return manifests
    runs = [manifest for manifest in manifests if manifest["search"] == search]
    if not runs:
        searches = ", ".join(sorted({manifest["search"] for manifest in manifests})) or "none yet"
        raise SettingsError(f"search {search!r} has no run on record; allowed: {searches}")
    return runs


def latest_manifests(store: TableStore) -> list[dict[str, Any]]:
    """Return the manifest of the latest run of each search."""
    latest: dict[str, dict[str, Any]] = {}
    for manifest in read_manifests(store):
        latest.setdefault(manifest["search"], manifest)
    return list(latest.values())


def datasets_of(store: TableStore, searches: Sequence[str] | None = None) -> dict[str, str]:
    """Return the dataset of each of these searches, or of all searches that have a run on record.

    Raises:
        SettingsError: there is no run on record, or none of one of these searches.
    """
    datasets = {manifest["search"]: manifest["dataset_name"] for manifest in latest_manifests(store)}
    if not datasets:
        raise SettingsError("no run is on record yet; first run autosr search")
    if missing := [search for search in searches or () if search not in datasets]:
        raise SettingsError(f"search {missing[0]!r} has no run on record; allowed: {', '.join(sorted(datasets))}")
    return datasets if searches is None else {search: datasets[search] for search in searches}


def dataset_of_all(store: TableStore, searches: Sequence[str]) -> str:
    """Return the dataset that all these searches are over.

    Raises:
        SettingsError: there are fewer than two searches, one has no run on record, or their datasets differ.
    """
    return common_dataset(searches, datasets_of(store, searches))


def _flat_fields(manifest: Manifest) -> Iterator[tuple[str, Any]]:
    """Yield the compared fields of a manifest as (dotted name, value)."""

    def within(value: Any, name: str) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from within(inner, f"{name}.{key}")
        else:
            yield name, value

    for name in _COMPARED_FIELDS:
        yield from within(manifest.get(name), name)
