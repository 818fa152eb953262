"""What users see: the pages of Dagster's web UI, the report and evaluations, in a real browser (`make test-ui`)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.assets.browser import browser, chromium, look, webserver
from tests.assets.commands import Home, planted
from tests.fakes import fake_roles

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.ui,
    pytest.mark.timeout(900),
    pytest.mark.skipif(chromium() is None, reason="no browser: apt-get install chromium"),
]
EVIL = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
DRAWN = "image => image.complete && image.naturalWidth > 0"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with the demo search that the web UI shows."""
    home = Home(tmp_path_factory.mktemp("ui"))
    result = home.autosr("search", "--search", "evolutionary", "--backend", "heuristic")
    assert result.code == 0, result.err
    return home


@pytest.fixture(scope="module")
def address(searched: Home) -> Iterator[str]:
    with webserver(searched) as address:
        yield address


@pytest.fixture(scope="module")
def with_markup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a search whose prompt and candidate are markup."""
    folder = tmp_path_factory.mktemp("markup")
    prompts = [prompt.model_dump(mode="json") for prompt in planted("<b>a</b>")]
    prompts[0]["candidates"][0]["text"] = EVIL
    (folder / "evil.json").write_text(json.dumps(prompts))
    home = Home(folder / "home")
    result = home.autosr("search", str(folder / "evil.json"), roles=fake_roles())
    assert result.code == 0, result.err
    return home.root / "exports" / "evil.html"


@pytest.fixture(scope="module")
def evaluated(searched: Home) -> Path:
    """Return the page of an evaluation of the demo's rubrics."""
    path = searched.root / "evaluated.html"
    result = searched.autosr(
        "eval", str(searched.root / "exports" / "evolutionary.json"), "examples/demo_dataset.json", "--html", str(path)
    )
    assert result.code == 0, result.err
    return path


@pytest.fixture
def opened(searched: Home, evaluated: Path, with_markup: Path) -> Iterator["Browser"]:
    """Return the browser; after the searches, since it has an event loop running in this thread."""
    with browser() as opened:
        yield opened


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_prompts_page_shows_its_rubric_scores_and_plots_without_a_click(
    opened: "Browser", address: str, searched: Home, theme: str
) -> None:
    page = look(
        opened, f"{address}/assets/evolutionary/best_rubrics?view=partitions&partition=refund-reply", theme=theme
    )

    page.get_by_text("objective_by_generation").wait_for()
    heaviest = max(
        searched.export("evolutionary")["best_rubrics"][0]["rubric"]["criteria"],
        key=lambda criterion: criterion["weight"],
    )
    assert page.get_by_text(heaviest["text"]).first.is_visible()
    assert page.get_by_text("refund-reply-1").first.is_visible()
    assert_drawn(page, "best and mean objective", "calls by generation")


def test_the_exports_page_shows_the_search_in_plots_and_the_unseen_figure(opened: "Browser", address: str) -> None:
    page = look(opened, f"{address}/assets/evolutionary/rubric_export")

    page.get_by_text("held_out_accuracy").wait_for()
    assert_drawn(page, "objective by generation", "calls by generation", "held out accuracy", "steps to the best")
    assert page.get_by_text("visible labels alone").first.is_visible()


def test_the_dataset_page_shows_its_prompts(opened: "Browser", address: str) -> None:
    page = look(opened, f"{address}/assets/demo/dataset")

    page.get_by_text("refund-reply").first.wait_for()
    assert page.get_by_text("How the task begins.").count() == 0  # the schema is a click away, the table is not


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_report_fits_the_screen_and_fetches_nothing(
    opened: "Browser", searched: Home, width: int, theme: str
) -> None:
    page = look(opened, (searched.root / "exports" / "evolutionary.html").as_uri(), theme=theme, width=width)
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert page.locator("h1").count() == 1
    assert page.locator("svg").first.is_visible()
    assert page.get_by_role("img", name="Objective by generation").is_visible()
    assert least_contrast(page) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_of_an_evaluation_fits_the_screen_and_fetches_nothing(
    opened: "Browser", evaluated: Path, width: int, theme: str
) -> None:
    page = look(opened, evaluated.as_uri(), theme=theme, width=width)
    criterion = page.get_by_role("region", name="Criteria").locator("tbody tr").first

    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert page.locator("h1").count() == 1
    assert criterion.evaluate("row => row.offsetHeight") < 160  # a narrow screen scrolls, and breaks no words
    assert least_contrast(page) >= 4.5


def test_markup_in_a_candidate_is_shown_as_text_in_the_report(opened: "Browser", with_markup: Path) -> None:
    page = look(opened, with_markup.as_uri())
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")

    assert page.get_by_text(EVIL).is_visible()
    assert page.get_by_text("<b>a</b>").first.is_visible()
    assert page.title() == "evil: rubric report"
    assert page.locator("script, img").count() == 0


def assert_drawn(page: "Page", *names: str) -> None:
    for name in names:
        picture = page.get_by_alt_text(name, exact=True).first
        picture.scroll_into_view_if_needed()
        assert picture.evaluate(DRAWN), f"{name} is not drawn"
        assert picture.is_visible()


def least_contrast(page: "Page") -> float:
    """Return the lowest contrast of any text with its background, as defined by WCAG 2."""
    return float(
        page.evaluate(
            """() => {
              const parse = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
              const light = colour => {
                const [r, g, b] = parse(colour).map(x => x / 255)
                  .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
              };
              const ground = element => {
                for (; element; element = element.parentElement) {
                  const colour = getComputedStyle(element).backgroundColor;
                  const channels = parse(colour);
                  if (channels.length < 4 || channels[3] > 0) return colour;
                }
                return "rgb(255, 255, 255)";
              };
              let least = 21;
              const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walker.nextNode()) {
                const element = walker.currentNode.parentElement;
                if (!walker.currentNode.textContent.trim() || element.closest("svg, style")) continue;
                const [text, background] = [light(getComputedStyle(element).color), light(ground(element))];
                least = Math.min(least, (Math.max(text, background) + 0.05) / (Math.min(text, background) + 0.05));
              }
              return least;
            }"""
        )
    )
