"""The way from the command line to the work on a prompt is short enough to be read in a traceback."""

import traceback
from pathlib import Path

import pytest

from autosr_lib.pipeline import search_runner
from autosr_lib.search.context import SearchContext
from autosr_lib.search.state import SearchState
from tests.assets.commands import Home

MOST_FRAMES = 10
ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "autosr_assets", ROOT / "autosr_lib")


def test_a_generation_of_a_prompt_is_at_most_ten_frames_below_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks: list[list[traceback.FrameSummary]] = []
    advance_search = search_runner.advance_search

    async def recording(context: SearchContext, state: SearchState) -> SearchState:
        stacks.append(list(traceback.extract_stack()))
        return await advance_search(context, state)

    monkeypatch.setattr(search_runner, "advance_search", recording)

    result = Home(tmp_path).autosr("search", str(ROOT / "examples/demo_dataset.json"), "--backend", "heuristic")

    assert result.code == 0
    own = [[frame for frame in stack if any(map(Path(frame.filename).is_relative_to, PACKAGES))] for stack in stacks]
    assert own
    assert {frames[0].name for frames in own} == {"run"}
    assert max(map(len, own)) <= MOST_FRAMES
