"""Ctrl-C and SIGTERM stop a search in order: no reply is lost, and one line says how to continue."""

import signal
import time
from pathlib import Path

import pytest

from tests.assets.model_home import DEMO, SMALL, ModelHome
from tests.llm.server import ModelServer
from tests.reliability.processes import result_of, start_autosr, wait_until
from tests.reliability.request_times import request_times

STOPPED = "autosr: stopped; finished work is stored, and the same command continues from there"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_replies_in_flight_and_says_how_to_continue(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with ModelServer(latency=1.5) as server:
        home = ModelHome(tmp_path, server.base_url)
        process = start_autosr(home, "search", str(DEMO), *SMALL)
        wait_until(lambda: len(server.requests) >= 20)

        process.send_signal(number)
        result = result_of(process)

        assert result.code == code
        assert result.err.splitlines()[-1] == STOPPED
        assert "Traceback" not in result.err
        before_signal = request_times(server)
        server.latency = 0
        assert home.autosr("search", str(DEMO), *SMALL).code == 0
        assert len(before_signal) >= 19
        times = request_times(server)
        assert [len(times[content]) for content in before_signal] == [1] * len(before_signal)


@pytest.mark.slow
def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    with ModelServer(latency=60) as server:
        home = ModelHome(tmp_path, server.base_url)
        process = start_autosr(home, "search", str(DEMO), *SMALL, "--no-llm-cache")
        wait_until(lambda: len(server.requests) >= 1)
        time.sleep(0.5)

        process.send_signal(signal.SIGINT)
        time.sleep(3)
        waits_for_replies = process.poll() is None
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        result = result_of(process)

        assert waits_for_replies
        assert time.monotonic() - started < 15
        assert result.code == 130
        assert "autosr: warning: waiting up to" in result.err
        assert result.err.splitlines()[-1] == STOPPED
