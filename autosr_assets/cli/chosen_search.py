"""The search that `autosr search` runs: made from a dataset's file and options, or defined by YAML in `defs/`."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.components.defs_folder import declared_components
from autosr_assets.components.settings_config import override_config
from autosr_assets.definitions import shared
from autosr_assets.records.given_settings import GivenSettings
from autosr_assets.runtime.graph_names import checked_name, dataset_settings_key, search_settings_key
from autosr_assets.runtime.home import CHECKOUT
from autosr_lib.errors import SettingsError
from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.pipeline.dataset_storage import DatasetSource, absolute_dataset_path
from autosr_lib.pipeline.progress import Progress
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.search.settings import Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.settings_merge import merge_settings, nested_settings, validate_settings
from autosr_lib.storage.store import TableStore
from autosr_lib.storage.table_names import TableName

DEFS = CHECKOUT / "autosr_assets" / "defs"


@dataclass(frozen=True)
class ChosenSearch:
    """A search over a dataset, with the settings of one run."""

    name: str
    """Name of the search; its tables are stored under this name."""
    dataset: str
    """Name of the dataset."""
    dataset_component: PromptDataset
    component: RubricSearch
    dataset_settings: DatasetRunSettings
    settings: SearchRunSettings
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings that this run changes from those of the YAML, as the config of Dagster resources."""

    @property
    def structure(self) -> Structure:
        """Return the settings that determine which assets the search has."""
        return self.component.structure

    def definitions(self, progress: Progress) -> dg.Definitions:
        """Return the graph of the search and its dataset; `progress` receives how far a run is."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=dg.BetaWarning)
            return dg.Definitions.merge(
                shared(progress),
                self.dataset_component.definitions(self.dataset),
                self.component.definitions(self.name),
            )

    def plan(self, store: TableStore) -> SearchPlan:
        """Return the plan of the search over the prompts that are stored now.

        Raises:
            SettingsError: the settings use a model and the API key is missing, or the presets cannot be read.
        """
        dataset = DatasetPlan(self.dataset, self.dataset_settings)
        return SearchPlan.of(dataset, self.name, self.structure, self.settings, store)


def search_of_file(path: str, name: str | None, given_settings: GivenSettings, store: TableStore) -> ChosenSearch:
    """Return the search of a dataset's file, with the components that YAML would otherwise define.

    Searches of one file in different modes or scopes have different names and share its prompts and preferences.

    Args:
        path: the file.
        name: name of the dataset and beginning of the search's name; by default made from the file's name.
        given_settings: the settings that differ from the defaults.
        store: with the tables, to check that the name does not belong to another file.

    Raises:
        SettingsError: a setting is invalid, or the name belongs to another dataset or search.
    """
    name = name_of_file(path) if name is None else checked_name(name, "search")
    structure = validate_settings(Structure, given_settings.structure)
    dataset = validate_settings(
        DatasetRunSettings, {"path": absolute_dataset_path(path), **nested_settings(given_settings.dataset)}
    )
    settings = validate_settings(SearchRunSettings, nested_settings(given_settings.search))
    if name in names_in_defs():
        raise SettingsError(
            f"name {name!r} belongs to {DEFS.name}/; allowed: another --name, or --search to run what is defined there"
        )
    _check_name_is_free(name, dataset, store)
    component = RubricSearch(
        dataset=name,
        mode=structure.mode,
        scope=structure.scope,
        generations=structure.generations,
        settings=settings,
    )
    component.check_settings(settings)
    search_name = "_".join([name, *_non_default_parts(structure)])
    return ChosenSearch(search_name, name, PromptDataset(settings=dataset), component, dataset, settings)


def search_of_yaml(folder: str, given_settings: GivenSettings) -> ChosenSearch:
    """Return the search that `defs/<folder>` defines, with the given settings in place of those of the YAML.

    Raises:
        SettingsError: there is no such search, or a setting is invalid or cannot be changed for one run.
    """
    searches, datasets = components_in_defs()
    if folder not in searches:
        raise SettingsError(f"search {folder!r} is not in {DEFS}; there are {', '.join(sorted(searches)) or 'none'}")
    component = searches[folder]
    if component.dataset not in datasets:
        raise SettingsError(f"dataset {component.dataset!r} of search {folder!r} is not in {DEFS}")
    if given_settings.structure:
        names = ", ".join(given_settings.structure)
        raise SettingsError(
            f"{names} cannot be changed for one run of {folder!r}; "
            "allowed: a change of its YAML, or max_generations for fewer generations"
        )
    dataset = datasets[component.dataset]
    settings, changed = _override(component.effective_settings, given_settings.search)
    component.check_settings(settings)
    dataset_settings, dataset_changed = _override(dataset.current_settings(component.dataset), given_settings.dataset)
    dataset.check_settings(dataset_settings)
    overrides = {
        search_settings_key(folder): {"config": changed},
        dataset_settings_key(component.dataset): {"config": dataset_changed},
    }
    return ChosenSearch(folder, component.dataset, dataset, component, dataset_settings, settings, overrides)


def components_in_defs() -> tuple[dict[str, RubricSearch], dict[str, PromptDataset]]:
    """Return the searches and the datasets of `defs/` by name."""
    searches: dict[str, RubricSearch] = {}
    datasets: dict[str, PromptDataset] = {}
    tree = dg.ComponentTree.for_project(DEFS.parent)
    for path in sorted(DEFS.glob("*/defs.yaml")):
        component = tree.load_component(path.parent.name)
        name = getattr(component, "name", None) or path.parent.name
        if isinstance(component, RubricSearch):
            searches[name] = component
        elif isinstance(component, PromptDataset):
            datasets[name] = component
    return searches, datasets


def names_in_defs() -> set[str]:
    """Return the names of the components in `defs/`, without loading the components."""
    return {component.name for component in declared_components(DEFS)}


def name_of_file(path: str) -> str:
    """Return the default name for a dataset's file: its stem, changed to a name that Dagster accepts.

    >>> name_of_file("data/my prompts.jsonl"), name_of_file("2024.csv")
    ('my_prompts', 'dataset_2024')
    """
    stem = re.split(r"[/\\]", path)[-1].split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_")
    return (name if re.match(r"[A-Za-z]", name) else f"dataset_{name}".rstrip("_"))[:100]


def _non_default_parts(structure: Structure) -> list[str]:
    """Return the mode and the scope where they differ from the defaults; they become part of the search's name."""
    default = Structure()
    parts = ((structure.mode, default.mode), (structure.scope, default.scope))
    return [str(value) for value, default_value in parts if value != default_value]


def _override(base: Any, changes: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the settings with the changes (by dotted name), and the changes as config of the settings' resource."""
    merged = merge_settings(base, nested_settings(changes))
    # Taken from the validated settings: the text "8" of an option is not valid as config of an integer.
    return merged, override_config(base, nested_settings({name: _nested_value(merged, name) for name in changes}))


def _nested_value(settings: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        settings = getattr(settings, part)
    return settings


def _check_name_is_free(name: str, dataset: DatasetRunSettings, store: TableStore) -> None:
    """Raise an error if prompts of another file are stored under this name.

    Raises:
        SettingsError: the name belongs to another file.
    """
    stored = DatasetSource.of_stored(store, TableName.dataset(name))
    if stored is None or stored.path == dataset.path:
        return
    source = DatasetSource.of_file(dataset.path, skip_invalid=dataset.skip_invalid)
    if source is not None and source.sha256 == stored.sha256:  # the same file, moved or copied
        return
    raise SettingsError(f"name {name!r} is taken by {stored.path}; give {dataset.path} another one: --name NAME")
