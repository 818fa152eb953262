"""Ctrl-C and SIGTERM end a search in order: nothing that is paid for is lost, and one line says how to go on."""

import signal
import time
from pathlib import Path

import pytest

from tests.assets.model_home import DEMO, SMALL, ModelHome
from tests.llm.server import ModelServer
from tests.reliability.ledger import ledger
from tests.reliability.processes import opened, said_by, wait_for

GOES_ON = "autosr: stopped; finished work is stored, and the same command continues from there"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_replies_under_way_and_says_how_to_go_on(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with ModelServer(latency=1.5) as server:
        home = ModelHome(tmp_path, server.base_url)
        process = opened(home, "search", str(DEMO), *SMALL)
        wait_for(lambda: len(server.requests) >= 20)

        process.send_signal(number)
        said = said_by(process)

        assert said.code == code
        assert said.err.splitlines()[-1] == GOES_ON
        assert "Traceback" not in said.err
        under_way = ledger(server)
        server.latency = 0
        assert home.autosr("search", str(DEMO), *SMALL).code == 0
        assert len(under_way) >= 19
        paid = ledger(server)
        assert [len(paid[content]) for content in under_way] == [1] * len(under_way)


@pytest.mark.slow
def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with ModelServer(latency=60) as server:
        home = ModelHome(tmp_path, server.base_url)
        process = opened(home, "search", str(DEMO), *SMALL, "--no-llm-cache")
        wait_for(lambda: len(server.requests) >= 1)
        time.sleep(0.5)

        process.send_signal(signal.SIGINT)
        time.sleep(3)
        is_patient = process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = said_by(process)

        assert is_patient
        assert time.monotonic() - began < 15
        assert said.code == 130
        assert "autosr: warning: waiting up to" in said.err
        assert said.err.splitlines()[-1] == GOES_ON
