"""A command's options as a dataclass, from which its parameters on the command line are made."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class CommandOptions:
    """Base class of the options of a command: each field is a parameter, described by `typer.Option` or `typer.Argument`."""

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Return the parameters that typer reads."""
        return list(inspect.signature(cls).parameters.values())

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the options with the values that were parsed from the command line, by parameter name."""
        return cls(**values)
