"""A real Dagster web server on a home, and a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.assets.commands import Home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHECKOUT = Path(__file__).resolve().parents[2]
FLAGS = ("disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
         "disable-sync", "disable-dev-shm-usage")  # fmt: skip
PATIENCE = 120_000
"""Milliseconds until a page counts as failed; a busy machine is slow."""


def chromium() -> str | None:
    """Return the browser of this machine, or None."""
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


@contextmanager
def browser() -> Iterator["Browser"]:
    """Open the browser, without a window."""
    from playwright.sync_api import sync_playwright

    # Chromium has no sandbox for root.
    flags = [f"--{flag}" for flag in (*FLAGS, *(["no-sandbox"] if os.geteuid() == 0 else []))]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=flags)
        try:
            yield opened
        finally:
            opened.close()


def look(opened: "Browser", address: str, *, theme: str = "light", width: int = 1500, height: int = 1400) -> "Page":
    """Return a page as it looks with this theme and width; the web UI reads its theme from the local storage."""
    context = opened.new_context(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    context.add_init_script(f"try {{ localStorage.setItem('theme', '\"{theme.capitalize()}\"') }} catch {{}}")
    page = context.new_page()
    page.goto(address)
    return page


@contextmanager
def webserver(home: Home) -> Iterator[str]:
    """Start the web UI on a home, as `make ui` does but without a daemon, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = home.root / "webserver.log"
    command = [
        str(Path(sys.executable).parent / "dagster-webserver"),
        "-w",
        "workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    environment = {**os.environ, **home.environment(), "DAGSTER_HOME": str(home.root / "dagster")}
    with (
        log.open("wb") as out,
        subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=CHECKOUT, env=environment, stdout=out, stderr=out
        ) as server,
    ):
        try:
            _until_it_answers(f"http://127.0.0.1:{port}", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _until_it_answers(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/server_info", timeout=5).close()  # noqa: S310 - our own server
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"the web server does not answer: {log.read_text(errors='replace')[-2000:]}")
