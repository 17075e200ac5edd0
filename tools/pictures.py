"""Take the pictures of reports that docs/report.md shows: runs on the embedded digits, analysed, in Chromium.

python -m tools.pictures

Writes docs/report.png and docs/comparison.png. Takes about two minutes on two cores.
"""

import contextlib
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, ViewportSize

import thumbnet
from tools.browser import chromium

DOCS = Path(__file__).resolve().parents[1] / "docs"
VIEWPORT: ViewportSize = {"width": 1190, "height": 1150}
View = tuple[str, Literal["light", "dark"]]
"""From which element on a page is shown, and in which colours."""

REPORT: tuple[View, ...] = (
    ("#all-overview", "light"),
    ("#run-1-features", "dark"),
    ("#run-1-filters", "light"),
    ("#run-1-maps", "dark"),
)
COMPARISON: tuple[View, ...] = (("#all-curves", "light"), ("#pair-compare", "dark"))


def main() -> None:
    """Train, analyse, report, and take the pictures."""
    # From within the folder, so that the pages' commands name the runs alone.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), chromium() as browser:
        report, comparison = make_reports(Path("runs"))
        for page, views, name in ((report, REPORT, "report.png"), (comparison, COMPARISON, "comparison.png")):
            side_by_side([shot(browser, page, view) for view in views]).save(DOCS / name, optimize=True)
            print(DOCS / name)


def make_reports(folder: Path) -> tuple[Path, Path]:
    """Return the report of an analysed run of the demo, and its comparison with a shorter one, both in `folder`."""
    data = thumbnet.pack_data("digits", folder / "digits")
    shorter = {"phases.0.length": "4 epochs"}
    recipes = {"long": thumbnet.make_recipe("demo"), "short": thumbnet.make_recipe("demo", shorter)}
    long, short = (thumbnet.train_recipe(one, data, folder / name, quiet=True) for name, one in recipes.items())
    thumbnet.analyze_run(long)
    return (
        thumbnet.report_runs([long], folder / "report.html"),
        thumbnet.report_runs([long, short], folder / "comparison.html"),
    )


def shot(browser: Browser, path: Path, view: View) -> Image.Image:
    """Return what a reader sees of the page at `path`."""
    selector, colours = view
    page = browser.new_page(viewport=VIEWPORT, color_scheme=colours, reduced_motion="reduce")
    page.goto(path.resolve().as_uri())
    page.locator(selector).evaluate("element => window.scrollTo(0, element.offsetTop - 16)")
    found = Image.open(BytesIO(page.screenshot()))
    page.close()
    return found.convert("RGB")


def side_by_side(shots: list[Image.Image]) -> Image.Image:
    """Return pictures of one size in rows of two, at half their size."""
    width, height = shots[0].size
    sheet = Image.new("RGB", (2 * width, -(-len(shots) // 2) * height))
    for number, one in enumerate(shots):
        sheet.paste(one, (number % 2 * width, number // 2 * height))
    return sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
