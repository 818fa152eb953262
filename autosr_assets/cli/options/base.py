"""The base class of options: a dataclass from which the parameters of a command are made."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """Options of a command. Each field is a parameter, described by `typer.Option` or `typer.Argument`."""

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Return the parameters that typer reads."""
        return list(inspect.signature(cls).parameters.values())

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the options with the values that were parsed from the command line, by parameter name."""
        return cls(**values)
