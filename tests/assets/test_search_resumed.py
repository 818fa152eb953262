"""A search gives the same rows in one run, in chunks, and after it was interrupted."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autosr_lib.errors import EndpointError
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.roles import Roles
from tests.assets.commands import Home, planted, write_prompts
from tests.assets.small_search import best_rows, search
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier


@pytest.mark.slow
def test_one_run_chunks_and_resuming_give_the_same_best_rubrics(tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))
    complete, chunked, resumed = (Home(tmp_path / name) for name in ("complete", "chunked", "resumed"))

    four = ("--generations", "4")

    assert search(complete, path, *four).code == 0
    assert search(chunked, path, *four, "--chunk-size", "1").code == 0
    assert search(resumed, path, *four, "--max-generations", "3").code == 0
    early = best_rows(resumed)
    assert search(resumed, path, *four).code == 0

    assert best_rows(complete) == best_rows(chunked) == best_rows(resumed) != early
    assert best_rows(complete)["a"]["generations"] == 4
    assert complete.export("calls")["best_rubrics"] == chunked.export("calls")["best_rubrics"]


def test_prompts_that_depend_on_each_other_are_never_divided_into_chunks(tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))
    shared_batch = ("--scope", "global_batch", "--batch-size", "1", "--generations", "1")
    complete, chunked = Home(tmp_path / "complete"), Home(tmp_path / "chunked")

    results = [search(complete, path, *shared_batch), search(chunked, path, *shared_batch, "--chunk-size", "1")]

    assert [result.code for result in results] == [0, 0]
    assert best_rows(complete, "calls_global_batch") == best_rows(chunked, "calls_global_batch")


@dataclass
class Crashing(FakeVerifier):
    """Does `crash` at its request number `at`."""

    at: int = -1
    crash: Callable[[], None] = field(default=lambda: None)

    async def grade(self, request: GradeRequest) -> dict[str, Grade]:
        if len(self.requests) == self.at:
            self.crash()
            await asyncio.sleep(0.05)
        return dict(await super().grade(request))


def endpoint_dies() -> None:
    raise EndpointError("https://example.com/v1: HTTP 401; check LLM_API_KEY")


@pytest.mark.parametrize(
    ("crash", "code", "line"),
    [
        (endpoint_dies, 2, "autosr: https://example.com/v1: HTTP 401; check LLM_API_KEY\n"),
        (
            lambda: signal.raise_signal(signal.SIGINT),
            130,
            "autosr: stopped; finished work is stored, and the same command continues from there\n",
        ),
    ],
    ids=["endpoint", "ctrl-c"],
)
def test_a_run_that_stops_early_reports_it_in_one_line_and_the_next_run_continues(
    tmp_path: Path, crash: Callable[[], None], code: int, line: str
) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))
    complete, ended = Home(tmp_path / "complete"), Home(tmp_path / "ended")
    calm, crashing = Crashing(noise=0.3), Crashing(noise=0.3, crash=crash)

    search(complete, path, roles=Roles(FakeInitializer(), FakeProposer(), calm, FakeJudge()))
    crashing.at = len(calm.requests) * 2 // 3  # in generation 1
    early = search(ended, path, roles=Roles(FakeInitializer(), FakeProposer(), crashing, FakeJudge()))
    first = ended.rows("calls/initial_rubrics")
    late = search(ended, path)

    assert (early.code, early.err.splitlines(keepends=True)[-1]) == (code, line)
    assert late.code == 0
    assert ended.rows("calls/initial_rubrics") == first
    assert best_rows(ended) == best_rows(complete)
