"""The work of `autosr serve`: a server that scores responses."""

import ipaddress
import os
import signal

import uvicorn

from autosr_assets.cli.grading import load_rubrics
from autosr_assets.cli.options.grading import ServeOptions
from autosr_lib.errors import SettingsError
from autosr_lib.reward.server import ServeSettings, create_app

TOKEN = "AUTOSR_SERVE_TOKEN"  # noqa: S105 - the name of the variable
GRACE_SECONDS = 60
"""Seconds that requests in progress get at shutdown, in addition to the deadline of one model call."""


def serve(options: ServeOptions) -> None:
    """Serve scores until a signal arrives; requests in progress are answered before the server ends.

    Raises:
        SettingsError: the rubrics or the address cannot be used, or a token is missing.
    """
    rubrics, host, port = load_rubrics(options), options.host, options.port
    limits = ServeSettings(
        max_concurrent=options.max_concurrent, max_batch=options.max_batch, max_body_bytes=options.max_body_bytes
    )
    config = uvicorn.Config(
        create_app(rubrics, limits, token_for(host)),
        host=host,
        port=port,
        log_level="info",
        access_log=False,  # /metrics counts the requests; a line for each would flood the log of a busy server
        server_header=False,
        timeout_graceful_shutdown=round(rubrics.backend.llm.llm_deadline) + GRACE_SECONDS,
    )
    # uvicorn raises the signal again after a graceful shutdown, which would end the process as if it had crashed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(config).run()
    except SystemExit as error:  # uvicorn has logged the reason
        if error.code:
            raise SettingsError(f"cannot listen on {host}:{port}; give another --host or --port") from error


def token_for(host: str) -> str | None:
    """Return the token that requests must contain, None if none is set and the host needs none.

    Raises:
        SettingsError: other machines can reach the host and no token is set, or the token is not valid in a header.
    """
    token = os.environ.get(TOKEN, "").strip() or None
    if token is None and not is_loopback(host):
        raise SettingsError(
            f"host is {host!r}, which other machines can reach, and the environment variable {TOKEN} is empty; "
            "allowed: a token in the variable, or a loopback host such as 127.0.0.1"
        )
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise SettingsError(
            f"{TOKEN} contains a character that is not valid in a header; allowed: printable ASCII without spaces"
        )
    return token


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server on the host.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
