"""A rate limit shared by several processes, in a real Redis."""

import asyncio
import logging
import multiprocessing
import time
import uuid

import pytest

from autosr_lib.errors import SettingsError
from autosr_lib.llm.endpoint import shared_rate_limit
from autosr_lib.llm.endpoint.rate_limit import RateWindow
from autosr_lib.llm.endpoint.shared_rate_limit import SharedRateWindow, open_rate_limit
from tests.distributed.services import Services, free_port

pytestmark = pytest.mark.distributed

WINDOW = 1.0


@pytest.fixture(autouse=True)
def _short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_rate_limit, "WINDOW_SECONDS", WINDOW)


def _name() -> str:
    return uuid.uuid4().hex


def _worker(
    address: str, name: str, most: int, times: int, units: float, queue: "multiprocessing.Queue[float]"
) -> None:
    shared_rate_limit.WINDOW_SECONDS = WINDOW
    window = SharedRateWindow(name, most, address)

    async def request() -> None:
        await window.reserve(units)
        queue.put(time.time())

    async def all_at_once() -> None:
        await asyncio.gather(*(request() for _ in range(times)))

    asyncio.run(all_at_once())


def test_three_workers_start_at_most_the_limit_in_any_window(services: Services) -> None:
    queue: multiprocessing.Queue[float] = multiprocessing.Queue()
    name, most, times = _name(), 10, 12
    workers = [
        multiprocessing.Process(target=_worker, args=(services.redis, name, most, times, 1, queue)) for _ in range(3)
    ]

    for worker in workers:
        worker.start()
    moments = sorted(queue.get(timeout=60) for _ in range(3 * times))
    for worker in workers:
        worker.join(10)

    # On a busy machine a process may record its start late, but never early.
    tolerance = 0.3
    for first, beyond in zip(moments, moments[most:], strict=False):
        assert beyond - first > WINDOW - tolerance
    assert moments[-1] - moments[0] < 3 * WINDOW + 5


async def test_requests_pass_in_order_without_lost_time(services: Services) -> None:
    window, order = SharedRateWindow(_name(), 2, services.redis), list[int]()

    async def request(number: int) -> None:
        await window.reserve(1)
        order.append(number)

    started = time.monotonic()
    await asyncio.gather(*(request(number) for number in range(6)))

    assert order == sorted(order)
    assert 2 * WINDOW <= time.monotonic() - started < 2 * WINDOW + 2


async def test_actual_usage_replaces_the_expected_usage(services: Services) -> None:
    window = SharedRateWindow(_name(), 100, services.redis)
    entry = await window.reserve(90)
    started = time.monotonic()

    window.settle(entry, 10)
    await window.reserve(90)
    quickly = time.monotonic() - started
    await window.reserve(50)

    assert quickly < WINDOW / 2
    assert time.monotonic() - started >= WINDOW * 0.9


async def test_a_request_larger_than_the_window_passes_alone(services: Services) -> None:
    window = SharedRateWindow(_name(), 10, services.redis)
    started = time.monotonic()

    await window.reserve(1000)
    await window.reserve(1)

    assert WINDOW * 0.9 <= time.monotonic() - started < WINDOW + 2


async def test_a_cancelled_request_returns_its_units(services: Services) -> None:
    window = SharedRateWindow(_name(), 10, services.redis)
    await window.reserve(10)
    waiting = asyncio.create_task(window.reserve(10))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    started = time.monotonic()

    await window.reserve(10)

    assert time.monotonic() - started < WINDOW + 0.8


async def test_without_redis_each_worker_applies_the_limit_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    window = SharedRateWindow(_name(), 100, f"redis://:hidden-word@127.0.0.1:{free_port()}/0")

    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            window.settle(await window.reserve(1), 2)

    assert caplog.text.count("each worker applies the limit by itself") == 1
    assert "hidden-word" not in caplog.text
    assert window._local_window._sum == 40


def test_the_environment_decides_whether_the_limit_is_shared(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shared_rate_limit.VARIABLE, "")
    assert isinstance(open_rate_limit("requests", "http://e", 10), RateWindow)

    monkeypatch.setenv(shared_rate_limit.VARIABLE, services.redis)
    assert isinstance(open_rate_limit("requests", "http://e", 10), SharedRateWindow)
    assert isinstance(open_rate_limit("requests", "http://e", None), RateWindow)

    monkeypatch.setenv(shared_rate_limit.VARIABLE, "nonsense")
    with pytest.raises(SettingsError, match="AUTOSR_LIMITS is not an address of Redis"):
        open_rate_limit("requests", "http://e", 10)
