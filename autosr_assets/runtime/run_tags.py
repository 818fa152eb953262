"""Tags of Dagster runs: their dataset, search and settings, what started them, and their partitions."""

from collections.abc import Sequence

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.search.settings import Structure
from autosr_lib.settings import SearchRunSettings

NO_RETRY = {"dagster/max_retries": "0"}
"""For runs in the process of a command: the daemon cannot restart them; repeating the command continues their work."""

DATASET, SEARCH = "autosr/dataset", "autosr/search"
ASKED_BY, INCOMING = "autosr/asked_by", "incoming file"
"""The tag that says what started a run that was not started by hand, and its value for the sensor of dropped files."""
EXPORT_LATER = {"autosr/export": "later"}
"""For runs over one of several ranges of prompts; a later run writes the export."""


def dataset_tags(dataset: str) -> dict[str, str]:
    """Return the tags of a run over a dataset.

    >>> dataset_tags("demo")
    {'autosr/dataset': 'demo'}
    """
    return {DATASET: dataset}


def search_tags(dataset: str, search: str, structure: Structure, settings: SearchRunSettings) -> dict[str, str]:
    """Return the tags of a run of a search; runs with the same settings have the same fingerprint."""
    return {
        **dataset_tags(dataset),
        SEARCH: search,
        "autosr/mode": str(structure.mode),
        "autosr/settings": settings_fingerprint(structure, settings),
    }


def settings_fingerprint(structure: Structure, settings: SearchRunSettings) -> str:
    """Return the fingerprint of a search's settings; the location of its export is not part of it."""
    return fingerprint(structure.model_dump(mode="json"), settings.model_dump(mode="json", exclude={"output"}))


def range_tags(keys: Sequence[str]) -> dict[str, str]:
    """Return the tags of a run over the partitions from the first of `keys` to the last.

    >>> range_tags(["a", "b", "c"])
    {'dagster/asset_partition_range_start': 'a', 'dagster/asset_partition_range_end': 'c'}
    """
    return {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
