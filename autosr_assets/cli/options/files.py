"""Options of the commands for files and stored data: `validate`, `prune`, `prompts export` and `cache`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autosr_assets.cli.options.base import CommandOptions

PRUNABLE = ("generations", "runs", "replies")
"""What `autosr prune` can delete."""

CacheDir = Annotated[
    str | None,
    typer.Option(
        help="Folder of the reply cache, as in the setting `cache_dir`; by default that of a search without this setting."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask for confirmation.")]


@dataclass(frozen=True, kw_only=True)
class ValidateOptions(CommandOptions):
    """Options of `autosr validate`."""

    dataset: Annotated[str, typer.Argument(help="File of prompts: JSON, JSON Lines, CSV or Parquet.")]
    skip_invalid: Annotated[
        bool,
        typer.Option(
            "--skip-invalid",
            help="Leave out invalid prompts and report them, instead of rejecting the file.",
            metavar="",
        ),
    ] = False
    few_candidates: Annotated[
        bool,
        typer.Option(
            "--few-candidates",
            help="Allow prompts with fewer than two candidates, as a search with response_models does.",
            metavar="",
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class PruneOptions(CommandOptions):
    """Options of `autosr prune`."""

    kinds: Annotated[
        list[str] | None, typer.Argument(help=f"What to delete: {', '.join(PRUNABLE)}; by default all of them.")
    ] = None
    days: Annotated[float, typer.Option(min=0, metavar="DAYS", help="Keep data of the last DAYS days.")] = 30
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only print what would be deleted and its size.")
    ] = False
    yes: Yes = False


@dataclass(frozen=True, kw_only=True)
class ExportPromptsOptions(CommandOptions):
    """Options of `autosr prompts export`."""

    folder: Annotated[Path, typer.Argument(help="Folder to write the templates to; created if it does not exist.")]
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing templates.", metavar="")] = False


@dataclass(frozen=True, kw_only=True)
class CacheInfoOptions(CommandOptions):
    """Options of `autosr cache info`."""

    cache_dir: CacheDir = None


@dataclass(frozen=True, kw_only=True)
class ClearCacheOptions(CommandOptions):
    """Options of `autosr cache clear`."""

    yes: Yes = False
    cache_dir: CacheDir = None
