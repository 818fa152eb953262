"""The charts in the metadata are well formed, short enough not to be collapsed, and show the measured values."""

from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from autosr_assets.views.charts import INLINE, calls_chart, held_out_chart, image, objective_chart, operators_chart
from autosr_assets.views.metadata import best_metadata
from autosr_assets.views.search_charts import search_charts
from autosr_lib.evaluation.holdout import HoldoutCount, PairCount, summarise_holdout
from autosr_lib.results.histories import Histories
from autosr_lib.storage.table_names import TableName
from autosr_lib.storage.tables.best_rubrics import BestRubricRow, read_best_rubric
from tests.assets.commands import Home, planted, write_prompts
from tests.fakes import fake_roles

HOLDOUT = summarise_holdout([HoldoutCount(PairCount(4000, 2000, 3000), PairCount(2000, 1000, 1100), 2200.0)] * 3)


@pytest.fixture(scope="module")
def best_rows(tmp_path_factory: pytest.TempPathFactory) -> list[BestRubricRow]:
    """Return the rows of a real, small search."""
    folder: Path = tmp_path_factory.mktemp("images")
    home = Home(folder / "home")
    home.autosr("search", write_prompts(folder / "calls.json", planted("a", "b<i>")), roles=fake_roles())
    rows = [read_best_rubric(rows) for _, rows in home.store.scan(TableName.best_rubrics("calls"))]
    return [row for row in rows if isinstance(row, BestRubricRow)]


def test_a_prompts_pictures_are_shown_at_once(best_rows: list[BestRubricRow]) -> None:
    for row in best_rows:
        metadata = best_metadata(row)

        for name in ("objective_by_generation", "calls_by_generation"):
            assert len(metadata[name].md_str) < INLINE
            assert drawn(metadata[name].md_str).tag.endswith("svg")


def test_a_searchs_charts_are_of_all_its_prompts(best_rows: list[BestRubricRow]) -> None:
    histories = Histories()
    for row in best_rows:
        histories.add(row)

    charts = search_charts(histories, HOLDOUT)

    assert set(charts) == {
        "objective_by_generation",
        "calls_by_generation",
        "held_out_accuracy",
        "steps_to_the_best",
    }
    assert max(len(image(name, svg)) for name, svg in charts.items()) < INLINE
    assert histories.calls[0] == sum(row.history[0].calls for row in best_rows)


def test_the_held_out_chart_shows_both_figures_unseen_pairs_first() -> None:
    assert HOLDOUT is not None

    chart = held_out_chart(HOLDOUT)

    assert chart.index("unseen, 6000 pairs: 50.0% → 55.0%") < chart.index("touching, 12000 pairs: 50.0% → 75.0%")


def test_any_number_of_generations_can_be_drawn() -> None:
    for count in (1, 2, 40, 100):
        for svg in (objective_chart([0.5] * count, [0.4] * count), calls_chart([0] * count)):
            assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own text


def test_a_name_in_a_chart_is_text() -> None:
    root = ET.fromstring(operators_chart([("<b>&", 3)]))  # noqa: S314 - our own text

    assert "<b>&" in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_search_without_any_rubric_has_no_charts() -> None:
    assert search_charts(Histories(), None) == {}


def drawn(markdown: str) -> ET.Element:
    address = markdown.split("](<data:image/svg+xml,")[1].removesuffix(">)")
    return ET.fromstring(unquote(address.replace("\\<", "<").replace("\\>", ">")))  # noqa: S314 - our own text
