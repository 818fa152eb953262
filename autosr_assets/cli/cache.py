"""The commands `autosr cache info` and `autosr cache clear`: the replies that are kept."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from autosr_assets.cli.shared import Debug
from autosr_lib.errors import SettingsError

if TYPE_CHECKING:
    from autosr_lib.llm.cache.reply_cache import PersistentCache

app = typer.Typer(rich_markup_mode="rich")

Folder = Annotated[
    str | None,
    typer.Option(help="Folder of the replies, as in a search's `cache_dir`; by default that of a search without one."),
]


@app.command()
def info(*, cache_dir: Folder = None, _debug: Debug = False) -> None:
    """Say where replies are kept, how many there are and how large they are."""
    known = _cache(cache_dir).info()
    typer.echo(f"{known.location}: {known.entries:,} replies, {known.size_bytes / 1e6:,.1f} MB")


@app.command()
def clear(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.")] = False,
    cache_dir: Folder = None,
    _debug: Debug = False,
) -> None:
    """Forget all kept replies; what was searched stays, and a new search pays for its replies again."""
    cache = _cache(cache_dir)
    known = cache.info()
    if known.entries and not yes:
        if not sys.stdin.isatty():
            raise SettingsError(f"{known.entries:,} replies in {known.location} would be forgotten; allowed: --yes")
        if not typer.confirm(f"Forget {known.entries:,} replies in {known.location}?", err=True):
            return
    typer.echo(f"{cache.clear():,} replies forgotten in {known.location}")


def _cache(cache_dir: str | None) -> "PersistentCache":
    from autosr_assets.runtime.home import cache_location  # noqa: PLC0415
    from autosr_lib.llm.cache import open_cache  # noqa: PLC0415
    from autosr_lib.llm.settings import LlmSettings  # noqa: PLC0415

    return open_cache(cache_location(cache_dir or LlmSettings().cache_dir))
