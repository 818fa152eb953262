"""A real `autosr serve` in a separate process, on loopback."""

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

from tests.reward.searched_home import SearchedHome

TOKEN = "tok-marked-5e0c9a"  # noqa: S105 - used by tests only
AUTOSR = (sys.executable, "-c", "from autosr_assets.cli.main import main; main()")


@dataclass
class ScoreServer:
    """The server; use it as a context manager."""

    home: SearchedHome
    options: tuple[str, ...] = ()
    token: str | None = TOKEN
    base_url: str = ""
    """The model endpoint; by default the one in the environment of the home."""
    output: list[str] = field(default_factory=list)
    """The lines that the server has written."""

    def __enter__(self) -> Self:
        environment = {**os.environ, **self.home.environment(), "AUTOSR_SERVE_TOKEN": self.token or ""}
        endpoint = ("--base-url", self.base_url) if self.base_url else ()
        command = [*AUTOSR, "serve", str(self.home.export_path), "--port", "0", *endpoint, *self.options]
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if address := re.search(r"running on (http://[\d.:]+)", line):
                self.url = address.group(1)
                self._reader = threading.Thread(
                    target=lambda: self.output.extend(self.process.stdout or ()), daemon=True
                )
                self._reader.start()
                return self
        raise AssertionError("the server did not start: " + "".join(self.output))

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> int:
        """Stop the server with SIGTERM, as an orchestrator does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._reader.join(5)
        return code

    def client(self, token: str | None = TOKEN, **options: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **options)

    def memory(self) -> int:
        """Return the resident memory of the server in bytes."""
        with Path(f"/proc/{self.process.pid}/statm").open(encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
