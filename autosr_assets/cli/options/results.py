"""Options of the commands that read results: `show`, `report`, `compare`, `checks` and `runs`."""

from dataclasses import dataclass
from typing import Annotated

import typer

from autosr_assets.cli.options.base import CommandOptions

AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON, for scripts.")]
RUN_HELP = "Run id or its beginning; or name of a search for its latest run, NAME~1 for the run before."


@dataclass(frozen=True, kw_only=True)
class ShowOptions(CommandOptions):
    """Options of `autosr show`."""

    prompt: Annotated[str, typer.Argument(help="Prompt id.")]
    name: Annotated[
        str | None, typer.Option(help="Name of the search; by default the latest search that has the prompt.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class ReportOptions(CommandOptions):
    """Options of `autosr report`."""

    name: Annotated[str, typer.Argument(help="Name of the search.")]


@dataclass(frozen=True, kw_only=True)
class CompareOptions(CommandOptions):
    """Options of `autosr compare`."""

    searches: Annotated[
        list[str], typer.Argument(help="Names of searches over one dataset; each is compared with the first.")
    ]
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class ChecksOptions(CommandOptions):
    """Options of `autosr checks`."""

    names: Annotated[
        list[str] | None, typer.Argument(help="Names of searches; by default all with a recorded run.")
    ] = None
    strict: Annotated[bool, typer.Option("--strict", metavar="", help="Count warnings as failures.")] = False
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class ListRunsOptions(CommandOptions):
    """Options of `autosr runs list`."""

    name: Annotated[str | None, typer.Option(help="Only the runs of this search.")] = None
    limit: Annotated[int, typer.Option(min=1, metavar="INTEGER", help="Maximum number of runs.")] = 20
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class ShowRunOptions(CommandOptions):
    """Options of `autosr runs show`."""

    run: Annotated[str, typer.Argument(help=RUN_HELP)]
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class DiffRunsOptions(CommandOptions):
    """Options of `autosr runs diff`."""

    first: Annotated[str | None, typer.Argument(help=f"{RUN_HELP} By default the run before the second one.")] = None
    second: Annotated[str | None, typer.Argument(help="Another run; by default the latest of the search.")] = None
    as_json: AsJson = False
