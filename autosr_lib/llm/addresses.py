"""Addresses of services in messages and logs."""

from urllib.parse import urlsplit


def without_credentials(address: str) -> str:
    """Return an address without user, password and query, so that it can be shown.

    >>> without_credentials("postgresql://me:secret@db:5432/replies?sslmode=require")
    'postgresql://db:5432/replies'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
