"""Commands that are imported only when they run.

A command has two parts: its options, which are quick to import, and the function that does the work, whose module may
import Dagster, Arrow and openai at the top. `autosr --help` imports neither; `autosr COMMAND --help` imports only the
options.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any, cast

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from autosr_lib.errors import SettingsError


@dataclass
class CommandState:
    """State of the running command."""

    is_debug: bool = False
    """Whether the traceback of an error is printed."""


@dataclass(frozen=True)
class LazyCommand:
    """An entry of the table of commands. Modules are named relative to `autosr_assets.cli`."""

    options: str
    """`module:Class`, a subclass of `CommandOptions`."""
    run: str
    """`module:function`, which takes the options and does the work."""
    help: str
    """One line, shown in the list of commands."""
    details: str = ""
    """Further text, shown by the command's own `--help`."""
    extra: str = ""
    """The optional dependencies of `pyproject.toml` that the command needs."""


@dataclass(frozen=True)
class LazyGroup:
    """A group of commands, such as `runs`."""

    help: str
    commands: Mapping[str, LazyCommand] = field(default_factory=dict)


def make_app(commands: Mapping[str, LazyCommand | LazyGroup]) -> typer.Typer:
    """Return the application with these commands, by name."""
    app = typer.Typer(cls=_group_class(commands), add_completion=False, rich_markup_mode="rich")
    for name, entry in commands.items():
        if isinstance(entry, LazyGroup):
            group = make_app(entry.commands)
            group.callback()(
                _placeholder
            )  # without a callback, typer would run a group's only command without its name
            app.add_typer(group, name=name, help=entry.help)
        else:
            app.command(name, help=entry.help)(_placeholder)
    return app


def _placeholder() -> None:
    """Stand in for a command in the list of commands; `_group_class` replaces it before its arguments are parsed."""


def _group_class(commands: Mapping[str, LazyCommand | LazyGroup]) -> type[TyperGroup]:
    """Return a group class that loads a command when it is called."""

    class Group(TyperGroup):
        """A group that loads its commands lazily."""

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """Return the command that the arguments name, loaded with its options."""
            entry = commands.get(args[0]) if args else None
            if isinstance(entry, LazyCommand):
                self.commands[args[0]] = _load_command(args[0], entry)
            return super().resolve_command(ctx, args)

    return Group


def _load_command(name: str, command: LazyCommand) -> TyperCommand:
    """Return a command with its options; its work is loaded when it runs."""
    options_class = load(command.options)

    def run(**values: Any) -> Any:
        del values["_debug"]  # handled by its callback
        return _load_work(name, command)(options_class.from_values(values))

    parameters = [*options_class.parameters(), *inspect.signature(_debug_parameter).parameters.values()]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name, help=f"{command.help}\n\n{command.details}".strip())(run)
    return cast("TyperCommand", typer.main.get_command(app))


def _load_work(name: str, command: LazyCommand) -> Any:
    try:
        return load(command.run)
    except ImportError as error:
        if not command.extra:
            raise
        raise SettingsError(
            f"{error.name} is not installed; autosr {name} needs it: pip install 'autosr[{command.extra}]'"
        ) from error


def load(address: str) -> Any:
    """Return the object that `module:name` names, where the module is relative to `autosr_assets.cli`.

    >>> load("exit_codes:ExitCode").USER_ERROR
    <ExitCode.USER_ERROR: 2>
    """
    module, _, name = address.partition(":")
    return getattr(import_module(f"autosr_assets.cli.{module}"), name)


def _set_debug(context: typer.Context, is_debug: bool) -> None:
    if is_debug:
        context.ensure_object(CommandState).is_debug = True


Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an error.", callback=_set_debug, is_eager=True, metavar=""),
]


def _debug_parameter(*, _debug: Debug = False) -> None:
    """Declare the `--debug` parameter, which is added to every command."""
