"""What holds for all tests."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A test that is slow on a busy machine is not wrong; speed is measured in benchmarks/.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _the_library_logs_as_before() -> Iterator[None]:
    """Undo what the command line, run in this process, sets of logging: it decides what later tests would see."""
    logger = logging.getLogger("autosr_lib")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers = handlers
