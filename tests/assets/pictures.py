"""Takes the pictures in `docs/images` from the web UI (`make pictures`)."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.assets.browser import CHECKOUT, browser, chromium, look, webserver
from tests.assets.commands import Home

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

GRAPH = CHECKOUT / "docs" / "images" / "graph.png"
MOST_BYTES = 200_000
LEFT, TOP, RIGHT, BOTTOM = 80, 90, 40, 64
"""From the name of an asset to beyond the edge of its group."""


def main() -> int:
    """Search the demo dataset on a fresh home, and take the picture of its graph."""
    if chromium() is None:
        print("no browser; allowed: chromium on the PATH (apt-get install chromium)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        result = home.autosr("search", "--search", "evolutionary", "--backend", "heuristic")
        if result.code:
            print(result.err, file=sys.stderr)
            return 1
        with webserver(home) as address, browser() as opened:
            page = look(
                opened,
                f"{address}/assets/evolutionary/rubric_export?view=lineage&lineageScope=upstream&lineageDepth=8",
                width=1700,
                height=1000,
            )
            page.get_by_text("generation_03").first.wait_for()
            page.wait_for_timeout(8000)  # the graph moves into place, and is coloured by what is materialized
            GRAPH.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=GRAPH, clip=_around(page, ("dataset", "initial_rubrics", "rubric_export")))
    print(f"{GRAPH.relative_to(CHECKOUT)}: {GRAPH.stat().st_size:,} bytes")
    return 0 if GRAPH.stat().st_size < MOST_BYTES else 1


def _around(page: "Page", names: Sequence[str]) -> "FloatRect":
    """Return the part of the page with these assets, and the groups around them."""
    boxes = [box for name in names if (box := page.get_by_text(name, exact=True).last.bounding_box()) is not None]
    left, top = min(box["x"] for box in boxes) - LEFT, min(box["y"] for box in boxes) - TOP
    right = max(box["x"] + box["width"] for box in boxes) + RIGHT
    bottom = max(box["y"] + box["height"] for box in boxes) + BOTTOM
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


if __name__ == "__main__":
    sys.exit(main())
