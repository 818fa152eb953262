"""Options of the command line, made from the settings models: a setting is written once.

Everything but switches is taken as text here and validated where all settings are, so that a wrong value has the same
one-line message everywhere.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from autosr_lib.errors import SettingsError
from autosr_lib.search.settings import Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.settings_merge import bounds_of, is_union, leaves, model_of

Command = TypeVar("Command", bound=Callable[..., Any])

NONE = "none"
"""What is written for a setting that is to have no value."""
_OTHERWISE_NAMED = {"path"}
"""Settings that are the command's own arguments."""
_ALSO = {"scope": "--evolution-iteration-scope"}
"""The seed system's name of an option, where it is another."""


@dataclass(frozen=True)
class Setting:
    """A setting as an option."""

    dotted: str
    name: str
    """The option without dashes in front, as Python names it: `population_size`."""
    field: FieldInfo
    panel: str

    @property
    def annotation(self) -> Any:
        """Return the setting's type, without `| None`."""
        return _without_none(self.field.annotation)

    @property
    def is_switch(self) -> bool:
        """Return whether the option is `--x/--no-x`."""
        return self.annotation is bool


@dataclass(frozen=True)
class Told:
    """Settings that were given on the command line, by dotted name."""

    structure: Mapping[str, Any]
    dataset: Mapping[str, Any]
    search: Mapping[str, Any]

    def overlaid(self, other: "Told") -> "Told":
        """Return these settings with the others laid over them."""
        return Told(
            {**self.structure, **other.structure},
            {**self.dataset, **other.dataset},
            {**self.search, **other.search},
        )


def with_settings(command: Command) -> Command:
    """Return the command with an option for every setting; it gets those that were given as keywords."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    made = [
        inspect.Parameter(
            one.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_type_of(one), _option(one)]
        )
        for one in all_settings()
    ]
    taken = {parameter.name for parameter in own}
    parameters = [*own, *(parameter for parameter in made if parameter.name not in taken)]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def told_settings(given: Mapping[str, Any]) -> Told:
    """Return the options that were given, read as far as text can be, sorted by whose settings they are.

    Raises:
        SettingsError: a mapping is no JSON.
    """
    by_name = {one.name: one for one in all_settings()}
    values = {by_name[name].dotted: _read(by_name[name], value) for name, value in given.items() if value is not None}
    return sorted_by_owner(values)


def sorted_by_owner(values: Mapping[str, Any]) -> Told:
    """Return settings by dotted name, sorted by whose they are; who answers the roles is a dataset's and a search's."""
    owners = [{name for name, _ in leaves(model)} for model in (Structure, DatasetRunSettings, SearchRunSettings)]
    return Told(*({name: value for name, value in values.items() if name in owned} for owned in owners))


def all_settings() -> list[Setting]:
    """Return every setting of a search, its structure and its dataset, once each."""
    found: dict[str, tuple[FieldInfo, str]] = {}
    for model, title in ((Structure, "Structure"), (SearchRunSettings, "Search"), (DatasetRunSettings, "Dataset")):
        panels = dict(_panels(model, title))
        for dotted, field in leaves(model):
            group = dotted.rpartition(".")[0]
            found.setdefault(dotted, (field, panels[group]))
    names = option_names(list(found))
    return [
        Setting(dotted, names[dotted], field, panel)
        for dotted, (field, panel) in found.items()
        if dotted not in _OTHERWISE_NAMED
    ]


def option_names(dotted: list[str]) -> dict[str, str]:
    """Return the name of every setting's option: its last part, or with as much before it as tells it from others.

    Of several with the same last part, the one that is least deep keeps it: `seed`, and `role_judge_seed`.
    """
    names: dict[str, str] = {}
    for one in dotted:
        parts = one.split(".")
        rivals = [other for other in dotted if other != one and other.rsplit(".", 1)[-1] == parts[-1]]
        if all(other.count(".") > one.count(".") for other in rivals):
            names[one] = parts[-1]
            continue
        size = 2
        while any(other.split(".")[-size:] == parts[-size:] for other in rivals):
            size += 1
        names[one] = "_".join(parts[-size:])
    return names


def _panels(model: type[BaseModel], title: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (group, title of its panel): one panel a concern, in the words of its setting."""
    yield prefix, title
    for name, field in model.model_fields.items():
        if (inner := model_of(field.annotation)) is not None:
            says = " ".join((field.description or "").rstrip(".").split())
            yield from _panels(inner, f"{prefix}{'.' if prefix else ''}{name}: {says}", f"{prefix}.{name}".lstrip("."))


def _option(one: Setting) -> Any:
    dashed = one.name.replace("_", "-")
    decls = [f"--{dashed}/--no-{dashed}"] if one.is_switch else [f"--{dashed}"]
    also = [_ALSO[one.dotted]] if one.dotted in _ALSO else []
    return typer.Option(
        *decls,
        *also,
        help=_help(one).replace("[", "\\["),
        metavar="" if one.is_switch else _metavar(one.annotation),
        rich_help_panel=one.panel.replace("[", "\\["),
        show_default=False,
    )


def _type_of(one: Setting) -> Any:
    return bool | None if one.is_switch else str | None


def _help(one: Setting) -> str:
    text = " ".join((one.field.description or "").split())
    choices = _choices(one.annotation)
    allowed = bounds_of(one.field) if choices is None else "one of " + ", ".join(choices)
    default = _shown(one.field.get_default(call_default_factory=True))
    return f"{text} [default: {default}{'; ' if allowed else ''}{allowed}]"


def _shown(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(_shown(part) for part in value) or NONE
    if isinstance(value, Mapping):
        return json.dumps(value) if value else NONE
    plain = value.value if isinstance(value, Enum) else value
    return repr(plain) if isinstance(plain, str) and not plain.strip() else str(plain)


def _metavar(annotation: Any) -> str:
    if _choices(annotation) is not None:
        return "NAME"
    origin = get_origin(annotation)
    if origin in (tuple, list):
        return "A,B,…"
    if origin is not None and issubclass(origin, Mapping):
        return "JSON"
    return {int: "WHOLE", float: "NUMBER"}.get(annotation, "TEXT")


def _choices(annotation: Any) -> list[str] | None:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return list(get_args(annotation)) if get_origin(annotation) is Literal else None


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if is_union(annotation):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        return _without_none(inner[0]) if len(inner) == 1 else annotation
    return annotation


def _read(one: Setting, value: Any) -> Any:
    """Return the value that an option's text stands for, as far as text can say; the model decides."""
    if not isinstance(value, str):
        return value
    origin = get_origin(one.annotation)
    if value == NONE and is_union(one.field.annotation):
        return None
    if origin in (tuple, list):
        return [part.strip() for part in value.split(",") if part.strip()] if value != NONE else []
    if origin is not None and origin is not Literal and issubclass(origin, Mapping):
        return _read_json(one, value)
    if one.annotation in (int, float):
        return _read_number(value)
    return value


def _read_json(one: Setting, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as error:
        raise SettingsError(f"{one.dotted} is {value!r}; must be JSON, such as '{{\"name\": 1}}' ({error})") from error


def _read_number(value: str) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
