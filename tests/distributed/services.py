"""Real Postgres and Redis and an S3 server on loopback, each with its own folder, stopped at the end of the tests."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

BUCKET = "autosr"
POSTGRES_VARIABLE = "AUTOSR_POSTGRES_URL"
_DEPLOYED_CONFIG = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "dagster.yaml").read_text())
OUR_STORAGE = yaml.safe_dump({"storage": _DEPLOYED_CONFIG["storage"]})
"""The storage of `deploy/dagster.yaml`, with the address in `POSTGRES_VARIABLE`."""
DAGSTER_STORAGE = yaml.safe_dump({"storage": {"postgres": {"postgres_url": {"env": POSTGRES_VARIABLE}}}})
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Services:
    """Addresses of the services that the machines of a cluster share."""

    postgres: str
    redis: str
    s3: str

    @property
    def database(self) -> str:
        """Return the address of Postgres with its driver, which SQLAlchemy 2.1 needs."""
        return with_driver(self.postgres)

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a machine; it needs no others."""
        return {
            "AUTOSR_HOME": f"s3://{BUCKET}/home",
            POSTGRES_VARIABLE: self.database,
            "AUTOSR_CACHE": self.postgres,
            "AUTOSR_LIMITS": f"{self.redis}/1",
            "CELERY_BROKER_URL": f"{self.redis}/0",
            "CELERY_RESULT_BACKEND": f"{self.redis}/0",
            "AWS_ENDPOINT_URL": self.s3,
            **KEYS,
        }


def with_driver(address: str) -> str:
    """Return the address of Postgres with its driver, which SQLAlchemy 2.1 needs."""
    return address.replace("postgresql://", "postgresql+psycopg2://")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def process(
    command: list[str], log: Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a new process group, which is stopped at the end."""
    with log.open("ab") as out:
        started = subprocess.Popen(  # noqa: S603
            command, stdout=out, stderr=out, env={**os.environ, **(environment or {})}, cwd=cwd, start_new_session=True
        )
    try:
        yield started
    finally:
        send_signal(started, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(10)
        send_signal(started, signal.SIGKILL)
        started.wait(10)


def send_signal(started: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and all processes that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(started.pid, number)


def wait_for(name: str, is_ready: Callable[[], object], seconds: float = 60, log: Path | None = None) -> None:
    """Wait until a service is ready; after `seconds`, fail with the end of its log."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-3000:] if log is not None and log.exists() else ""
            pytest.fail(f"{name} is not ready after {seconds:g} s\n{tail}")
        time.sleep(0.2)


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a Postgres server, and yield its address."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    program = shutil.which("initdb") or (str(binaries[-1] / "initdb") if binaries else None)
    if program is None:
        pytest.skip("Postgres is not installed (Debian: postgresql); .ci/install-services installs it")
    home = Path(program).resolve().parent
    folder.mkdir()
    as_owner: list[str] = []
    if os.geteuid() == 0:  # Postgres refuses to run as root
        for parent in (folder, *folder.parents):  # other users cannot read the folders that pytest creates
            if parent != Path("/tmp") and parent.is_relative_to("/tmp"):  # noqa: S108 - the folder of pytest
                parent.chmod(0o755)
        shutil.chown(folder, "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    data, port, log = folder / "data", free_port(), folder / "log"
    log.touch(mode=0o666)
    subprocess.run(  # noqa: S603
        [*as_owner, str(home / "initdb"), "-D", str(data), "-U", "autosr", "-A", "trust", "--no-sync"],
        check=True,
        capture_output=True,
        timeout=120,
        cwd="/",
    )
    options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"]
    with process([*as_owner, str(home / "postgres"), "-D", str(data), *options], log, cwd=Path("/")):
        wait_for("Postgres", lambda: is_listening(port), log=log)
        yield f"postgresql://autosr@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis server, and yield its address without the number of a database."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed (Debian: redis-server); .ci/install-services installs it")
    folder.mkdir()
    port, log = free_port(), folder / "log"
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with process(command, log):
        wait_for("Redis", lambda: is_listening(port), log=log)
        yield f"redis://127.0.0.1:{port}"


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[str]:
    """Run the S3 server of moto with an empty bucket, and yield its address."""
    folder.mkdir()
    port, log = free_port(), folder / "log"
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    with process(command, log, KEYS):
        wait_for("the S3 server", lambda: is_listening(port), log=log)
        address = f"http://127.0.0.1:{port}"
        bucket(address).mkdir(BUCKET)
        yield address


def bucket(address: str) -> Any:
    """Return the S3 server as a file system without caches."""
    import s3fs

    return s3fs.S3FileSystem(
        endpoint_url=address,
        key="test",
        secret="test",  # noqa: S106 - moto accepts any
        use_listings_cache=False,
        skip_instance_cache=True,
    )
