"""The names by which the components find each other: keys, partitions, resources."""

import re
from collections.abc import Mapping, Sequence

import dagster as dg

from autosr_lib.errors import SettingsError

TABLES = "tables"
"""The resource, and IO manager, that keeps all rows."""


def checked_name(name: str, what: str) -> str:
    """Return the name of a dataset or search, which becomes part of asset keys, folders and resource keys.

    Raises:
        SettingsError: Dagster would not take it.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", name):
        raise SettingsError(
            f"name of the {what} is {name!r}; must be a letter and then letters, digits or _, up to 100"
        )
    return name


def prompts_of(dataset: str) -> dg.DynamicPartitionsDefinition:
    """Return the partitions of a dataset: one a prompt, shared by all searches over it."""
    return dg.DynamicPartitionsDefinition(name=f"{dataset}_prompts")


def dataset_key(dataset: str) -> dg.AssetKey:
    """Return the key of the asset that holds a dataset's prompts."""
    return dg.AssetKey([dataset, "dataset"])


def candidates_key(dataset: str) -> dg.AssetKey:
    """Return the key of the asset that holds what was sampled for prompts without candidates; only there with a pool."""
    return dg.AssetKey([dataset, "candidates"])


def preferences_key(dataset: str) -> dg.AssetKey:
    """Return the key of the asset that holds the preferences of a dataset's prompts."""
    return dg.AssetKey([dataset, "preferences"])


def dataset_settings_key(dataset: str) -> str:
    """Return the resource key of a dataset's settings; a search may have the name of its dataset."""
    return f"{dataset}_dataset_settings"


def search_settings_key(search: str) -> str:
    """Return the resource key of a search's settings."""
    return f"{search}_settings"


def one_dataset(searches: Sequence[str], known: Mapping[str, str | None]) -> str:
    """Return the one dataset of these searches.

    Raises:
        SettingsError: there are fewer than two, one is not known, or they are over different datasets.
    """
    if missing := [name for name in searches if name not in known]:
        raise SettingsError(f"searches: {missing[0]!r} is no search; allowed: {', '.join(sorted(known)) or 'none yet'}")
    if len(set(searches)) < 2 or len(set(searches)) < len(searches):
        raise SettingsError(f"searches are {', '.join(searches) or 'none'}; must be two or more, each once")
    if len({known[name] for name in searches}) > 1:
        told = ", ".join(f"{name} over {known[name]}" for name in searches)
        raise SettingsError(f"searches are over different datasets: {told}; must be over one")
    return str(known[searches[0]])
