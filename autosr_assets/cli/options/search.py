"""Options of `autosr search`: its own, and one for every setting."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Self

import typer

from autosr_assets.cli.options.base import CommandOptions
from autosr_assets.cli.options.settings import setting_parameters
from autosr_lib.search.profiles import PROFILES


@dataclass(frozen=True, kw_only=True)
class SearchOptions(CommandOptions):
    """Options of `autosr search`."""

    dataset: Annotated[str | None, typer.Argument(help="File of prompts: JSON, JSON Lines, CSV or Parquet.")] = None
    name: Annotated[str | None, typer.Option(help="Name of the search; by default the file's stem.")] = None
    defined: Annotated[
        str | None, typer.Option("--search", help="Run the search that this folder of autosr_assets/defs/ defines.")
    ] = None
    iterations: Annotated[
        str | None,
        typer.Option(help="Number of generations in mode iterative.", metavar="INTEGER", rich_help_panel="Structure"),
    ] = None
    profile: Annotated[
        str, typer.Option(help=f"Defaults to use: {', '.join(PROFILES)}. Options on the command line take precedence.")
    ] = "default"
    settings: Annotated[
        Path | None,
        typer.Option(
            help="File of settings, YAML or JSON, or the manifest of a run. Options on the command line take precedence."
        ),
    ] = None
    formal: Annotated[
        bool, typer.Option("--formal", metavar="", help="Use models, never heuristics; requires the API key.")
    ] = False
    chunk_size: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="INTEGER",
            help="Maximum number of prompts in one Dagster run. [default: 1000]",
            show_default=False,
        ),
    ] = 1000
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Only count the pending work.")] = False
    estimate: Annotated[
        bool, typer.Option("--estimate", metavar="", help="Only estimate calls, tokens and cost; no model is called.")
    ] = False
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            metavar="",
            help="Do not ask for confirmation before a search that costs more than confirm_cost.",
        ),
    ] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", metavar="", help="Show Dagster's log.")] = False
    setting_values: Mapping[str, Any] = field(default_factory=dict)
    """Values of the options for settings, by parameter name; without options that the user did not set."""

    @classmethod
    def parameters(cls) -> list[inspect.Parameter]:
        """Return the parameters that typer reads: the command's own, and one for every setting."""
        own = [parameter for parameter in super().parameters() if parameter.name != "setting_values"]
        own_names = {parameter.name for parameter in own}
        return [*own, *(parameter for parameter in setting_parameters() if parameter.name not in own_names)]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the options with the values that were parsed from the command line, by parameter name."""
        own_names = {option.name for option in fields(cls)}
        own = {name: value for name, value in values.items() if name in own_names}
        setting_values = {name: value for name, value in values.items() if name not in own_names and value is not None}
        return cls(**own, setting_values=setting_values)
