"""A real `autosr serve` in a process of its own, on loopback."""

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from tests.reward.searched import Searched

TOKEN = "tok-marked-5e0c9a"  # noqa: S105 - a test's


@dataclass
class Serving:
    """The server; use it as a context manager. `said` holds all that it has written."""

    home: Searched
    options: tuple[str, ...] = ()
    token: str | None = TOKEN
    base_url: str = ""
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        environment = {**os.environ, **self.home.environment(), "AUTOSR_SERVE_TOKEN": self.token or ""}
        where = ("--base-url", self.base_url) if self.base_url else ()
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", "from autosr_assets.cli.main import main; main()", "serve", str(self.home.path), "--port", "0", *where, *self.options],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(r"running on (http://[\d.:]+)", line):
                self.url = found.group(1)
                self._reader = threading.Thread(target=lambda: self.said.extend(self.process.stdout or ()), daemon=True)
                self._reader.start()
                return self
        raise AssertionError("the server did not start: " + "".join(self.said))

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()

    def end(self) -> int:
        """Ask it to end, as an orchestrator does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._reader.join(5)
        return code

    def client(self, token: str | None = TOKEN, **more: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **more)

    def memory(self) -> int:
        """Return the resident bytes of the server."""
        with Path(f"/proc/{self.process.pid}/statm").open(encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
