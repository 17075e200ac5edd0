"""A report in headless Chromium: whatever it says, asks for or fails at is kept, and every control is used once.

python -m tests.report.browser FILE ... clicks through reports of any runs.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page
from tools.browser import chromium

from tests.browser import Pages, overflow


@contextlib.contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Page]:
    """Open the page at `path`; when the block ends, check that it complained of nothing and asked for nothing.

    Args:
        browser: that shows it.
        path: an HTML file.
        options: of Playwright's `new_page`.
    """
    pages = Pages(browser)
    try:
        page = pages.open(**options)
        page.goto(path.resolve().as_uri())
        yield page
    finally:
        pages.close()
    assert pages.said == []
    assert {url for url in pages.asked if not url.startswith("data:")} == {path.resolve().as_uri()}


def click_through(page: Page) -> list[str]:
    """Use every kind of control that the page has, check what it does, and return which kinds there were."""
    kinds = {
        ".gallery": use_gallery,
        ".heat": use_heat_map,
        ".one-class": use_class_picker,
        "svg.lines": use_curves,
        "table.sortable": use_table,
    }
    use_theme(page)
    used = ["theme"]
    for selector, use in kinds.items():
        found = page.locator(selector)
        for place in range(found.count()):
            use(page, found.nth(place))
        used += [selector] if found.count() else []
    return used


def use_theme(page: Page) -> None:
    button = page.locator("#theme")
    colours = []
    for expected in ("automatic", "light", "dark"):
        assert button.inner_text() == f"Theme: {expected}"
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        button.click()
    assert colours[0] in colours[1:]
    assert colours[1] != colours[2]
    page.reload()
    assert button.inner_text() == "Theme: automatic"


def use_gallery(_: Page, gallery: Locator) -> None:
    everything = gallery.locator(".items > li:visible").count()
    choices = gallery.locator("select[name=true] option").count()
    gallery.locator("select[name=true]").select_option(index=choices - 1)
    label = gallery.locator("select[name=true]").input_value()
    shown = gallery.locator(".items > li:visible")
    assert shown.count() == gallery.locator(f'.items > li[data-true="{label}"]').count() > 0
    assert gallery.locator("output").inner_text().startswith(f"{shown.count()} image")
    answer = shown.first.get_attribute("data-predicted")
    gallery.locator("select[name=predicted]").select_option(answer)
    assert 0 < gallery.locator(".items > li:visible").count() <= shown.count()
    gallery.locator("button[type=reset]").click()
    gallery.locator("output", has_text=f"{everything} image").wait_for()


def use_heat_map(_: Page, heat: Locator) -> None:
    sheet, output = heat.locator(".heat-sheet"), heat.locator("output")
    fitted = width(sheet)
    for _number in range(3):
        heat.locator("[data-zoom=in]").click()
    assert width(sheet) > 3 * fitted
    heat.locator("[data-zoom=out]").click()
    assert fitted < width(sheet) < 3.5 * fitted
    heat.locator("[data-zoom=fit]").click()
    assert abs(width(sheet) - fitted) < 2
    sheet.hover(position={"x": 2, "y": 2})
    corner = output.inner_text()
    assert re.fullmatch(r".+: \d+ of \d+ right( \(.+%\))?", corner, re.DOTALL), corner
    view = heat.locator(".heat-view")
    assert view.get_attribute("role") == "application"
    assert view.get_attribute("aria-describedby") == output.get_attribute("id")
    view.focus()
    view.press("ArrowRight")
    assert " taken for " in output.inner_text() != corner
    view.press("ArrowDown")
    assert output.inner_text().endswith(")") or " of 0" in output.inner_text()
    view.press("+")
    assert width(sheet) > fitted
    view.press("-")


def use_class_picker(_: Page, box: Locator) -> None:
    for place in range(min(3, box.locator("option").count())):
        box.locator("select").select_option(index=place)
        errors = re.search(r"(\d+) errors over (\d+) classes", box.locator(".summary").inner_text())
        assert errors is not None
        bars = box.locator(".bars li .track").all_inner_texts()
        assert [sum(map(int, bars)), len(bars)] == [int(errors[1]), int(errors[2])]


def use_curves(page: Page, chart: Locator) -> None:
    tip = page.locator("#tip")
    chart.focus()
    chart.press("Home")
    first = tip.inner_text()
    assert re.match(r"epoch [\d.]+\n.+: -?[\d.e+-]+%?", first), first
    assert told(chart) == ("; ".join(first.split("\n")), low := float(chart.get_attribute("aria-valuemin") or "nan"))
    chart.press("End")
    last, high = told(chart)
    assert high == float(chart.get_attribute("aria-valuemax") or "nan") >= low
    assert (last == told(chart, "Home")[0]) == (low == high)
    assert told(chart, "ArrowUp") == told(chart, "Home", "ArrowRight")
    assert chart.locator(".cursor line").count() == 1
    assert tip.is_visible()
    chart.blur()
    assert not tip.is_visible()
    chart.hover()
    assert tip.inner_text().startswith("epoch ")


def told(chart: Locator, *keys: str) -> tuple[str, float]:
    """What a screen reader says of a slider after `keys`: the text and the number."""
    for key in keys:
        chart.press(key)
    assert chart.get_attribute("role") == "slider"
    return chart.get_attribute("aria-valuetext") or "", float(chart.get_attribute("aria-valuenow") or "nan")


def use_table(_: Page, table: Locator) -> None:
    table.evaluate("table => { table.closest('details').open = true; }")
    button = table.locator("thead button").nth(1)
    for direction, reverse in (("descending", True), ("ascending", False)):
        button.click()
        assert table.locator("thead th").nth(1).get_attribute("aria-sort") == direction
        cells = table.evaluate("table => Array.from(table.tBodies[0].rows, row => row.cells[1].textContent)")
        if all(cell.replace(",", "").isdigit() for cell in cells):
            numbers = [int(cell.replace(",", "")) for cell in cells]
            assert numbers == sorted(numbers, reverse=reverse)


def width(element: Locator) -> float:
    """The width of an element in pixels."""
    return float(element.evaluate("element => element.getBoundingClientRect().width"))


if __name__ == "__main__":
    with chromium() as started:
        for name in sys.argv[1:]:
            with opened(started, Path(name)) as shown_page:
                sys.stdout.write(f"{name}: {', '.join(click_through(shown_page))}\n")
            with opened(
                started, Path(name), viewport={"width": 390, "height": 844}, color_scheme="dark"
            ) as shown_page:
                assert overflow(shown_page) == 0
