"""The pictures in the metadata: there, small, and of what was measured."""

import base64
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from autosr_assets.history_image import history_markdown, history_svg
from autosr_assets.search_plots import Histories, search_markdown
from autosr_lib.evaluation.holdout import HoldoutCount, PairCount, summarise_holdout
from autosr_lib.storage.rows import Row
from tests.assets.commands import Home, planted, write_prompts
from tests.fakes import fake_roles

MOST_BYTES = 15_000


@pytest.fixture(scope="module")
def best_rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Return the rows of a real, small search."""
    folder: Path = tmp_path_factory.mktemp("images")
    home = Home(folder / "home")
    home.autosr("search", write_prompts(folder / "calls.json", planted("a", "b<i>")), roles=fake_roles())
    return [rows[0] for rows in home.rows("calls/best_rubrics").values()]


def test_a_prompts_history_is_a_small_well_formed_image(best_rows: list[Row]) -> None:
    for row in best_rows:
        root = ET.fromstring(history_svg(row))  # noqa: S314 - our own text

        assert root.tag.endswith("svg")
        assert len(history_markdown(row)) < MOST_BYTES


def test_the_search_is_shown_as_one_png(best_rows: list[Row]) -> None:
    histories = Histories()
    assert list(histories.watched(best_rows)) == best_rows
    holdout = summarise_holdout([HoldoutCount(PairCount(4, 2, 3), PairCount(2, 1, 1), 2.0)] * 3)

    text = search_markdown(histories, holdout)

    found = re.fullmatch(r"!\[[^\]]+\]\(data:image/png;base64,(.+)\)", text)
    assert found
    assert base64.b64decode(found[1]).startswith(b"\x89PNG")
    assert histories.calls[0] == sum(row["history"][0]["calls"] for row in best_rows)


def test_a_search_without_any_rubric_says_so() -> None:
    assert search_markdown(Histories(), None) == "No prompt has a history yet."
