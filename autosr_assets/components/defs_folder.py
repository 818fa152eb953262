"""What the YAML of a folder of definitions names; nothing of it is loaded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Defined(NamedTuple):
    """A component in YAML."""

    kind: str
    """Its class, without the module."""
    name: str
    attributes: Mapping[str, Any]


def defined_in(folder: Path) -> Iterator[Defined]:
    """Yield the components that the folders of `folder` define, in the order of their names."""
    for path in sorted(folder.glob("*/defs.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(document, dict):
                attributes = document.get("attributes") or {}
                kind = str(document.get("type", "")).rpartition(".")[2]
                yield Defined(kind, attributes.get("name") or path.parent.name, attributes)
