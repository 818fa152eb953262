"""Caches of usable replies, keyed by the content of the request: a repeated or resumed run pays for no request twice."""

from urllib.parse import urlsplit

from autosr_lib.errors import SettingsError
from autosr_lib.llm.addresses import without_credentials
from autosr_lib.llm.cache.postgres import SCHEMES, PostgresReplyCache
from autosr_lib.llm.cache.reply_cache import PersistentCache
from autosr_lib.llm.cache.sqlite import SqliteReplyCache

__all__ = ["open_cache"]


def open_cache(location: str) -> PersistentCache:
    """Return the cache in a folder, or in a database with an address such as `postgresql://…`.

    Raises:
        SettingsError: the address is of another kind, or the driver is not installed.
    """
    if "://" not in location:
        return SqliteReplyCache(location)
    if urlsplit(location).scheme not in SCHEMES:
        raise SettingsError(
            f"the reply cache cannot be in {without_credentials(location)}; use a folder or postgresql://…"
        )
    return PostgresReplyCache(location)
