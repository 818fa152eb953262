"""The names by which components refer to each other: asset keys, partitions, resource keys."""

import re
from collections.abc import Mapping, Sequence

import dagster as dg

from autosr_lib.errors import SettingsError
from autosr_lib.storage.table_names import TableName

TABLES = "tables"
"""Key of the IO manager that stores all rows; assets also use it as a resource."""


def checked_name(name: str, what: str) -> str:
    """Return `name` if it is a valid name; names become parts of asset keys, folders and resource keys.

    Args:
        name: name of a dataset, search or comparison.
        what: what has the name, for the error message.

    >>> checked_name("evolutionary", "search")
    'evolutionary'

    Raises:
        SettingsError: the name is invalid.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", name):
        raise SettingsError(
            f"name of the {what} is {name!r}; must be a letter followed by letters, digits or _, at most 100 characters"
        )
    return name


def prompts_of(dataset: str) -> dg.DynamicPartitionsDefinition:
    """Return the partitions of a dataset: one per prompt, shared by all searches over the dataset."""
    return dg.DynamicPartitionsDefinition(name=f"{dataset}_prompts")


def asset_key(table: TableName) -> dg.AssetKey:
    """Return the key of the asset whose rows a table holds.

    >>> asset_key(TableName.best_rubrics("short"))
    AssetKey(['short', 'best_rubrics'])
    """
    return dg.AssetKey(table.parts)


def dataset_key(dataset: str) -> dg.AssetKey:
    """Return the key of the asset that holds a dataset's prompts."""
    return asset_key(TableName.dataset(dataset))


def candidates_key(dataset: str) -> dg.AssetKey:
    """Return the key of the asset that holds sampled candidates. It exists only if the dataset has response models."""
    return asset_key(TableName.candidates(dataset))


def preferences_key(dataset: str) -> dg.AssetKey:
    """Return the key of the asset that holds the preferences of a dataset's prompts."""
    return asset_key(TableName.preferences(dataset))


def dataset_settings_key(dataset: str) -> str:
    """Return the resource key of a dataset's settings; it differs from that of a search with the same name."""
    return f"{dataset}_dataset_settings"


def search_settings_key(search: str) -> str:
    """Return the resource key of a search's settings."""
    return f"{search}_settings"


def common_dataset(searches: Sequence[str], dataset_by_search: Mapping[str, str | None]) -> str:
    """Return the dataset that these searches are over.

    >>> common_dataset(["fast", "thorough"], {"fast": "demo", "thorough": "demo"})
    'demo'

    Raises:
        SettingsError: there are fewer than two searches, one is unknown, or they are over different datasets.
    """
    if missing := [name for name in searches if name not in dataset_by_search]:
        allowed = ", ".join(sorted(dataset_by_search)) or "none yet"
        raise SettingsError(f"search {missing[0]!r} does not exist; allowed: {allowed}")
    if len(set(searches)) < 2 or len(set(searches)) < len(searches):
        raise SettingsError(f"searches are {', '.join(searches) or 'none'}; must be at least two, without repetitions")
    if len({dataset_by_search[name] for name in searches}) > 1:
        datasets = ", ".join(f"{name} over {dataset_by_search[name]}" for name in searches)
        raise SettingsError(f"searches are over different datasets: {datasets}; must be over the same dataset")
    return str(dataset_by_search[searches[0]])
