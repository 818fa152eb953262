"""The work of `autosr cache info` and `autosr cache clear`."""

import sys

import typer

from autosr_assets.cli.options.files import CacheInfoOptions, ClearCacheOptions
from autosr_assets.runtime.home import cache_location
from autosr_lib.domain.wording import plural
from autosr_lib.errors import SettingsError
from autosr_lib.llm.cache import open_cache
from autosr_lib.llm.cache.reply_cache import PersistentCache
from autosr_lib.llm.settings import LlmSettings


def show_cache(options: CacheInfoOptions) -> None:
    """Print where replies are cached, how many there are and how large they are."""
    info = _open_cache(options.cache_dir).info()
    typer.echo(f"{info.location}: {plural(info.entries, 'reply', 'replies')}, {info.size_bytes / 1e6:,.1f} MB")


def clear_cache(options: ClearCacheOptions) -> None:
    """Delete all cached replies after a confirmation.

    Raises:
        SettingsError: confirmation is needed and stdin is no terminal.
    """
    cache = _open_cache(options.cache_dir)
    info = cache.info()
    replies = plural(info.entries, "reply", "replies")
    if info.entries and not options.yes:
        if not sys.stdin.isatty():
            raise SettingsError(f"{replies} in {info.location} would be deleted; allowed: --yes")
        if not typer.confirm(f"Delete {replies} in {info.location}?", err=True):
            return
    typer.echo(f"{plural(cache.clear(), 'reply', 'replies')} deleted in {info.location}")


def _open_cache(cache_dir: str | None) -> PersistentCache:
    return open_cache(cache_location(cache_dir or LlmSettings().cache_dir))
