"""The search that a command is about: of a file of the moment, or of a YAML in `defs/`."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.components.defs_folder import defined_in
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
    """A dataset and a search over it, with the settings of this run."""

    name: str
    """Of the search; its tables lie under it."""
    dataset: str
    dataset_component: PromptDataset
    component: RubricSearch
    dataset_settings: DatasetRunSettings
    settings: SearchRunSettings
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """What this run changes of a YAML's settings, as config of its resources."""

    @property
    def structure(self) -> Structure:
        """Return what decides which assets there are."""
        return self.component.structure

    def definitions(self, progress: Progress) -> dg.Definitions:
        """Return the graph of the search and its dataset."""
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
            SettingsError: a model is asked for without a key, or presets that cannot be read.
        """
        dataset = DatasetPlan(self.dataset, self.dataset_settings)
        return SearchPlan.of(dataset, self.name, self.structure, self.settings, store)


def search_of_file(path: str, name: str | None, given_settings: GivenSettings, store: TableStore) -> ChosenSearch:
    """Return the search of a file: the components that a YAML would hold, made on the spot.

    Searches of other modes or scopes over the same file share its prompts and preferences, under names of their own.

    Raises:
        SettingsError: a setting is wrong, or the name is that of another dataset or search.
    """
    given = name
    name = checked_name(given, "search") if given is not None else name_of_file(path)
    structure = validate_settings(Structure, given_settings.structure)
    dataset = validate_settings(
        DatasetRunSettings, {"path": absolute_dataset_path(path), **nested_settings(given_settings.dataset)}
    )
    settings = validate_settings(SearchRunSettings, nested_settings(given_settings.search))
    if name in names_in_defs():
        raise SettingsError(
            f"name {name!r} belongs to {DEFS.name}/; allowed: another --name, or --search to run what is defined there"
        )
    _refuse_another_file(name, dataset, store)
    usual = Structure()
    parts = [
        str(mine) for mine, other in ((structure.mode, usual.mode), (structure.scope, usual.scope)) if mine != other
    ]
    component = RubricSearch(
        dataset=name,
        mode=structure.mode,
        scope=structure.scope,
        generations=structure.generations,
        settings=settings,
    )
    component.check_settings(settings)
    return ChosenSearch("_".join([name, *parts]), name, PromptDataset(settings=dataset), component, dataset, settings)


def search_of_yaml(folder: str, given_settings: GivenSettings) -> ChosenSearch:
    """Return the search that `defs/<folder>` defines, with this run's changes of its settings.

    Raises:
        SettingsError: there is none, or a setting is wrong or cannot be changed for one run.
    """
    searches, datasets = components_in_defs()
    if folder not in searches:
        raise SettingsError(f"search {folder!r} is not in {DEFS}; there are {', '.join(sorted(searches)) or 'none'}")
    component = searches[folder]
    if component.dataset not in datasets:
        raise SettingsError(f"dataset {component.dataset!r} of search {folder!r} is not in {DEFS}")
    if given_settings.structure:
        what = ", ".join(given_settings.structure)
        raise SettingsError(
            f"{what} cannot be changed for one run of {folder!r}; allowed: in its YAML, or fewer by max_generations"
        )
    dataset = datasets[component.dataset]
    settings, changed = _overridden(component.effective_settings, given_settings.search)
    component.check_settings(settings)
    dataset_settings, dataset_changed = _overridden(dataset.current_settings(component.dataset), given_settings.dataset)
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
    """Return the names that the YAML of `defs/` uses; nothing of it is loaded."""
    return {one.name for one in defined_in(DEFS)}


def name_of_file(path: str) -> str:
    """Return the name that a search of this file has by default: the file's stem, made one that Dagster takes."""
    stem = re.split(r"[/\\]", path)[-1].split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_")
    return (name if re.match(r"[A-Za-z]", name) else f"dataset_{name}".rstrip("_"))[:100]


def _overridden(base: Any, told: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the settings with `told` (by dotted name) laid over them, and the change as config of their resource."""
    merged = merge_settings(base, nested_settings(told))
    # As the model read them: the text "8" is no config for a whole number.
    return merged, override_config(base, nested_settings({name: _at(merged, name) for name in told}))


def _at(settings: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        settings = getattr(settings, part)
    return settings


def _refuse_another_file(name: str, dataset: DatasetRunSettings, store: TableStore) -> None:
    """Raise where prompts of another file are stored under this name.

    Raises:
        SettingsError: they are, and say so.
    """
    stored = DatasetSource.of_stored(store, TableName.dataset(name))
    if stored is None or stored.path == dataset.path:
        return
    offered = DatasetSource.of_file(dataset.path, skip_invalid=dataset.skip_invalid)
    if offered is not None and offered.sha256 == stored.sha256:  # the same file, moved or copied
        return
    raise SettingsError(f"name {name!r} is taken by {stored.path}; give {dataset.path} another one: --name NAME")
