"""The services that machines share, started once for all tests in this folder."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.distributed.services import Services, postgres, redis, s3


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("services")
    with contextlib.ExitStack() as stack:
        yield Services(
            stack.enter_context(postgres(folder / "postgres")),
            stack.enter_context(redis(folder / "redis")),
            stack.enter_context(s3(folder / "s3")),
        )


@pytest.fixture
def machine(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Give this process the environment variables of a machine of the cluster."""
    for name, value in services.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AUTOSR_STORAGE", "")
    return services
