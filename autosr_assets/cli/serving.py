"""Running the server of `autosr serve`: what it needs to listen, and how it ends."""

import ipaddress
import os
import signal

import uvicorn

from autosr_lib.errors import SettingsError
from autosr_lib.reward.rubrics import Rubrics
from autosr_lib.reward.server import ServeSettings, create_app

TOKEN = "AUTOSR_SERVE_TOKEN"  # noqa: S105 - the name of the variable
PATIENCE = 60
"""Seconds that requests under way have to end by, on top of what one call of the model may take."""


def run_server(rubrics: Rubrics, limits: ServeSettings, host: str, port: int) -> None:
    """Serve until a signal says to end; requests under way are answered first.

    Raises:
        SettingsError: others could reach it and there is no token, or it cannot listen there.
    """
    token = token_for(host)
    app = create_app(rubrics, limits, token)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="info",
        access_log=False,  # a busy server has nothing to say of each request; /metrics counts them
        server_header=False,
        timeout_graceful_shutdown=round(rubrics.backend.llm.llm_deadline) + PATIENCE,
    )
    # uvicorn raises the signal again once all is answered; without this the end would look like a crash.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(config).run()
    except SystemExit as ended:  # uvicorn has said why
        if ended.code:
            raise SettingsError(f"cannot listen at {host}:{port}; give another --host or --port") from ended


def token_for(host: str) -> str | None:
    """Return the token that requests have to bear, None where there is none and none is needed.

    Raises:
        SettingsError: others could reach the server and there is no token, or it cannot be sent in a header.
    """
    token = os.environ.get(TOKEN, "").strip() or None
    if token is None and not is_loopback(host):
        raise SettingsError(
            f"host is {host!r}, which others can reach, and the environment variable {TOKEN} is empty; "
            "allowed: a token in it, or a host of this machine alone (127.0.0.1)"
        )
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise SettingsError(
            f"{TOKEN} holds what a header cannot carry; allowed: ASCII letters, digits and signs, no spaces"
        )
    return token


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
