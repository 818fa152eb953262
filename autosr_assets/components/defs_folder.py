"""Reads which components the YAML files of a definitions folder declare, without loading the components."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class DeclaredComponent(NamedTuple):
    """A component as its YAML declares it."""

    kind: str
    """Name of the component class, without its module."""
    name: str
    """The attribute `name`, by default the name of the folder."""
    attributes: Mapping[str, Any]


def declared_components(folder: Path) -> Iterator[DeclaredComponent]:
    """Yield the components in the subfolders of `folder`, sorted by subfolder."""
    for path in sorted(folder.glob("*/defs.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(document, dict):
                attributes = document.get("attributes") or {}
                kind = str(document.get("type", "")).rpartition(".")[2]
                yield DeclaredComponent(kind, attributes.get("name") or path.parent.name, attributes)


def declared_searches(folder: Path) -> dict[str, str | None]:
    """Return the dataset of each search that the subfolders of `folder` declare, by the name of the search."""
    return {
        component.name: component.attributes.get("dataset")
        for component in declared_components(folder)
        if component.kind == "RubricSearch"
    }
