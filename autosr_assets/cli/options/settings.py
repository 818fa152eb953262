"""Options generated from the settings models, so that each setting is declared once.

Options other than switches are parsed as text and validated by the settings models, so that an invalid value has the same
one-line message on the command line, in YAML and in a settings file.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from autosr_lib.search.settings import Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.settings_fields import bounds_of, choices_of, group_model, leaves, without_none

NONE = "none"
"""Text for None on the command line."""
_COMMAND_ARGUMENTS = {"path"}
"""Settings without an option, because they are arguments of the command."""
_ALIASES = {"scope": "--evolution-iteration-scope"}
"""Additional option names, from the original system."""


@dataclass(frozen=True)
class Setting:
    """A setting and its option."""

    dotted: str
    """Name of the setting with the names of its groups: `evolution.population_size`."""
    name: str
    """Name of the option with underscores: `population_size`."""
    field: FieldInfo
    panel: str
    """Title of the group of options in the help."""

    @property
    def annotation(self) -> Any:
        """Return the setting's type, without `| None`."""
        return without_none(self.field.annotation)

    @property
    def is_switch(self) -> bool:
        """Return whether the option is `--x/--no-x`."""
        return self.annotation is bool


def setting_parameters() -> list[inspect.Parameter]:
    """Return a parameter for every setting, with the default None."""
    return [
        inspect.Parameter(
            setting.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[bool | None if setting.is_switch else str | None, _option(setting)],
        )
        for setting in all_settings()
    ]


def all_settings() -> list[Setting]:
    """Return every setting of a search, of its structure and of its dataset, each once."""
    fields: dict[str, tuple[FieldInfo, str]] = {}
    for model, title in ((Structure, "Structure"), (SearchRunSettings, "Search"), (DatasetRunSettings, "Dataset")):
        panels = dict(_panels(model, title))
        for dotted, field in leaves(model):
            group = dotted.rpartition(".")[0]
            fields.setdefault(dotted, (field, panels[group]))
    names = option_names(list(fields))
    return [
        Setting(dotted, names[dotted], field, panel)
        for dotted, (field, panel) in fields.items()
        if dotted not in _COMMAND_ARGUMENTS
    ]


def option_names(dotted_names: list[str]) -> dict[str, str]:
    """Return each setting's shortest unambiguous option name: its last parts, joined by underscores.

    If several settings have the same last part, the least nested one keeps it.

    >>> option_names(["seed", "role.judge.seed", "evolution.population_size"])
    {'seed': 'seed', 'role.judge.seed': 'judge_seed', 'evolution.population_size': 'population_size'}
    """
    names: dict[str, str] = {}
    for dotted in dotted_names:
        parts = dotted.split(".")
        rivals = [rival for rival in dotted_names if rival != dotted and rival.rsplit(".", 1)[-1] == parts[-1]]
        if all(rival.count(".") > dotted.count(".") for rival in rivals):
            names[dotted] = parts[-1]
            continue
        size = 2
        while any(rival.split(".")[-size:] == parts[-size:] for rival in rivals):
            size += 1
        names[dotted] = "_".join(parts[-size:])
    return names


def _panels(model: type[BaseModel], title: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted name of a group of settings, title of its panel); the title is the group's description."""
    yield prefix, title
    for name, field in model.model_fields.items():
        if (inner := group_model(field.annotation)) is not None:
            description = " ".join((field.description or "").rstrip(".").split())
            separator = "." if prefix else ""
            yield from _panels(inner, f"{prefix}{separator}{name}: {description}", f"{prefix}.{name}".lstrip("."))


def _option(setting: Setting) -> Any:
    dashed = setting.name.replace("_", "-")
    declarations = [f"--{dashed}/--no-{dashed}"] if setting.is_switch else [f"--{dashed}"]
    if setting.dotted in _ALIASES:
        declarations.append(_ALIASES[setting.dotted])
    return typer.Option(
        *declarations,
        help=_help(setting).replace("[", "\\["),
        metavar="" if setting.is_switch else _metavar(setting.annotation),
        rich_help_panel=setting.panel.replace("[", "\\["),
        show_default=False,
    )


def _help(setting: Setting) -> str:
    description = " ".join((setting.field.description or "").split())
    choices = choices_of(setting.annotation)
    allowed = bounds_of(setting.field) if choices is None else "one of " + ", ".join(choices)
    default = _format_value(setting.field.get_default(call_default_factory=True))
    return f"{description} [default: {default}{'; ' if allowed else ''}{allowed}]"


def _format_value(value: Any) -> str:
    """Return a value as text for the command line."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(_format_value(part) for part in value) or NONE
    if isinstance(value, Mapping):
        return json.dumps(value) if value else NONE
    plain = value.value if isinstance(value, Enum) else value
    return repr(plain) if isinstance(plain, str) and not plain.strip() else str(plain)


def _metavar(annotation: Any) -> str:
    if choices_of(annotation) is not None:
        return "NAME"
    origin = get_origin(annotation)
    if origin in (tuple, list):
        return "A,B,…"
    if origin is not None and issubclass(origin, Mapping):
        return "JSON"
    return {int: "INTEGER", float: "NUMBER"}.get(annotation, "TEXT")
