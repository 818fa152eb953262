"""What a run is about, as tags to filter runs by."""

from collections.abc import Sequence

from autosr_lib.domain.fingerprint import fingerprint
from autosr_lib.search.settings import Structure
from autosr_lib.settings import SearchRunSettings

NO_RETRY = {"dagster/max_retries": "0"}
"""Of a run in our own process: the daemon could not start it again, and the same command goes on where it ended."""

DATASET, SEARCH = "autosr/dataset", "autosr/search"
ASKED_BY, INCOMING = "autosr/asked_by", "incoming file"
"""What made a run that nobody started by hand."""
EXPORT_LATER = {"autosr/export": "later"}
"""Of a run over one of several ranges of prompts."""


def dataset_tags(dataset: str) -> dict[str, str]:
    """Return the tags of a run over a dataset."""
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
    """Return the name of a search's settings, wherever its export goes."""
    return fingerprint(structure.model_dump(mode="json"), settings.model_dump(mode="json", exclude={"output"}))


def range_tags(keys: Sequence[str]) -> dict[str, str]:
    """Return the tags of a run over the partitions from the first of `keys` to the last."""
    return {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
